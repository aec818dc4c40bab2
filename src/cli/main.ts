#!/usr/bin/env node
import { runCommandLine } from './program.js';

// Dawn keeps handles open after the device is gone: the process ends here and not by itself.
process.exit(await runCommandLine(process.argv.slice(2)));
