// Opens the adapter as the tests will and prints in one line what it is; started by the global set-up in a process of
// its own, because a driver that crashes must not take the test runner with it.
import { TilesightError } from '../src/engine/errors.js';
import { openApi } from '../src/node/adapter.js';

try {
  const { api, source, info, advice } = await openApi();
  if (advice !== undefined) console.error(advice);
  const adapter = await api.requestAdapter({ powerPreference: 'high-performance' });
  const device = await adapter?.requestDevice();
  if (!device) throw new TilesightError('device', 'the adapter gives no device: update its driver');
  device.destroy();
  console.log(JSON.stringify({ source, name: info.description || info.device }));
  process.exit(0);
} catch (error) {
  console.error(error instanceof TilesightError ? error.message : error);
  process.exit(1);
}
