import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { all, report, shared, tilesight } from './support.js';

interface Spread {
  readonly median: number;
}
interface Report<Summary> {
  readonly adapter: { readonly name: string; readonly type: string; readonly host: { readonly load: number[] } };
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly summary: Summary;
}

async function bench<Summary>(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Report<Summary>> {
  const { code, stdout, stderr } = await tilesight(['bench', ...words, '--json'], environment);
  if (code !== 0) throw new Error(`tilesight bench ${words.join(' ')} ended with ${code}: ${stderr.slice(-600)}`);
  const result = JSON.parse(stdout) as Report<Summary>;
  console.log(`bench ${words.join(' ')}: ${result.adapter.name}, load ${result.adapter.host.load.join(' ')}`);
  return result;
}

type Peers = Readonly<Record<string, { ratioToFastestPeer: number; coldRatioToFastestPeer?: number }>>;

/** What picks the kernels that memory bounds out of the bench, all their cases with them. */
const memoryBound = [
  'depthwise',
  'k-centre',
  'Mahalanobis',
  'moments',
  'blur',
  'resize',
  'pool',
  'normalize',
  'add',
  'relu',
] as const;

/**
 * Speed beside the peers and the roofs. Ratios of one run on one machine, but of a shared one: run it where nothing else
 * runs. `TILESIGHT_ONLY` takes a part: peers, swiftshader, kernels, memory-bound.
 */
export async function run(): Promise<boolean> {
  const only = process.env['TILESIGHT_ONLY'];
  const wanted = (part: string): boolean => only === undefined || only === part;
  const folder = shared();
  const file = folder && join(folder, 'weights', 'resnet18.safetensors');
  const weights = file !== undefined && existsSync(file) ? ['--weights', file] : [];
  const results: boolean[] = [];
  if (wanted('peers')) {
    const { adapter, summary, rows } = await bench<Peers>(['backbone', '--peers', ...weights]);
    const software = adapter.type !== 'hardware';
    for (const [network, bound] of [
      ['resnet18', software ? 6 : 1.5],
      ['mobilenet-v2', software ? 4 : 1],
    ] as const) {
      results.push(report(`${network}, warm, times as fast as the faster peer`, ratio(summary, network), bound));
      if (software) results.push(report(`${network}, cold start`, cold(summary, network), 2));
    }
    const apart = rows.filter(({ withinBound }) => withinBound === false).length;
    results.push(report('outputs beyond the scaled bound of ours', apart, 0, '≤'));
  }
  if (wanted('swiftshader')) {
    const environment = { TILESIGHT_ADAPTER: 'embedded' };
    const { summary } = await bench<Peers>(
      ['backbone', '--peers', ...weights, '--only', 'batch 1', '--samples', '2'],
      environment,
    );
    for (const network of ['resnet18', 'mobilenet-v2']) {
      results.push(report(`${network} on SwiftShader, warm`, ratio(summary, network), 1));
      results.push(report(`${network} on SwiftShader, cold start`, cold(summary, network), 1));
    }
  }
  if (wanted('kernels')) {
    const { summary } = await bench<Record<string, number | null>>(['kernels', '--only', 'conv 3×3 s1']);
    results.push(report('direct convolution, share of the FMA roof', summary['directConvShareOfRoof'] ?? NaN, 0.15));
    results.push(report('Winograd over the best direct one', summary['winogradOverDirect'] ?? NaN, 1.5));
  }
  if (wanted('memory-bound')) {
    // A command each, so that the roofs are measured close to what is compared with them.
    for (const kernel of memoryBound) {
      const { rows } = await bench(['kernels', '--only', kernel]);
      for (const row of rows.filter(({ bound, chosen }) => bound === 'memory' && chosen === true)) {
        const { median } = row['milliseconds'] as Spread;
        const name = `${String(row['kernel'])} ${String(row['shape'])}, ${median.toFixed(3)} ms`;
        results.push(report(name, Number(row['shareOfCopy']), 0.6));
        // A pixel's 66 multiply-adds stand beside 8 bytes: the other roof may be the nearer one.
        if (kernel === 'blur') console.log(`       of the FMA roof: ${Number(row['shareOfFma']).toPrecision(3)}`);
      }
    }
  }
  return all(results);
}

const ratio = (summary: Peers, network: string): number => summary[network]?.ratioToFastestPeer ?? NaN;
const cold = (summary: Peers, network: string): number => summary[network]?.coldRatioToFastestPeer ?? NaN;
