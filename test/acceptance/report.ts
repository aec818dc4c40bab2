import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeImage } from '../../src/node/encode-image.js';
import { renderReport } from '../../src/report/report.js';
import type { ReportInput } from '../../src/report/input.js';
import { madeUpBoards, madeUpLosses, madeUpReport } from '../report/made-up.js';
import { inspectViews, openChromium } from '../report/screenshots.js';

/** Where the pages and their pictures are left to be looked at. */
const folder = 'runs/report-acceptance';

/**
 * Renders reports of imagined runs (a whole one; one without labels and with long names; one of many positions) and opens
 * each from the disk in headless Chromium, wide and narrow, light and dark. Holds if nothing sticks out, is cut off, overlaps
 * or is empty, nothing is loaded, the keyboard reaches everything, and axe-core finds no violation. Prints a line a page.
 */
export async function run(): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  const browser = await openChromium();
  let holds = true;
  try {
    for (const [name, input] of Object.entries(madeUpRuns())) {
      const file = join(folder, `${name}.html`);
      await writeFile(file, await renderReport(input));
      const faults = await inspectViews(browser, file, folder, name);
      const distinct = [...new Set(faults)];
      console.log(`report ${name}: ${distinct.length === 0 ? 'holds in every view' : `${distinct.length} faults`}`);
      distinct.slice(0, 20).forEach((fault) => console.log(`  ${fault}`));
      holds &&= distinct.length === 0;
    }
  } finally {
    await browser.close();
  }
  console.log(`report: pictures in ${folder}`);
  return holds;
}

function madeUpRuns(): Record<string, ReportInput> {
  const boards = madeUpBoards(12, 12, 384);
  const spans: ReportInput['spans'] = [
    'product/subgroup subgroup=8 rows=16 groups=1 and more of it',
    'mahalanobis',
    'resize2d',
    'gather-channels',
  ].flatMap((name, index) => [
    { name, track: 'device', start: index, duration: 2e6 / (index + 1) },
    {
      name: ['decode', 'wait and read back', 'cut tiles', 'merge'][index] ?? '',
      track: 'host',
      start: index,
      duration: 9e5,
    },
  ]);
  const long = `${'a-very-long-name-without-a-single-space'.repeat(4)}.png`;
  const unlabelled = boards.slice(0, 3).map((board) => ({
    ...board,
    sample: { ...board.sample, name: long, label: undefined },
    mask: undefined,
  }));
  const tall = madeUpReport(boards, encodeImage);
  return {
    whole: madeUpReport(boards, encodeImage, {
      spans,
      losses: madeUpLosses(9, 400),
      notes: ['position 3 moves by 4 pixels between images: --shared would suit better'],
    }),
    unlabelled: madeUpReport(unlabelled, encodeImage, {
      title: long,
      evaluation: undefined,
      notes: [long],
      driver: long,
      memory: { ...tall.memory, budgetBytes: null },
    }),
    'one-class': madeUpReport(boards.slice(0, 4), encodeImage, { losses: madeUpLosses(225, 2000) }),
  };
}
