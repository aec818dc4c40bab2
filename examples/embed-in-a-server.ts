/**
 * An HTTP server that looks for defects in images that are posted to it. The ensemble is opened once and stays warm; images
 * are computed one after another, a few may wait, and who comes when the line is full is told to come back.
 *
 *   node --import ./scripts/register.mjs examples/embed-in-a-server.ts RUN [PORT]
 *   curl --data-binary @photo.png http://127.0.0.1:8080/
 *
 * In a project of your own, write `from 'tilesight/node'` in place of `from '../src/node.js'`.
 */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { nodeImages, openRun, TilesightError, type Prediction, type RgbImage } from '../src/node.js';

/** Images that may wait or compute at once; each takes its decoded size in memory. */
const longestLine = 4;
/** Largest body that is taken. */
const mostBytes = 64 * 2 ** 20;

const [run, port = '8080'] = process.argv.slice(2);
if (run === undefined) {
  console.error('usage: embed-in-a-server.ts RUN [PORT]');
  process.exit(2);
}
// Within this much device memory as many positions stay loaded as fit.
const { ensemble, gpu } = await openRun({ run, memory: 2 ** 30 });
const folder = await mkdtemp(join(tmpdir(), 'tilesight-server-'));
let waiting = 0;
let posted = 0;
let line: Promise<unknown> = Promise.resolve();

/** Predicts when all images before it are done. A failed one does not hold up the next. */
function predictInLine(image: RgbImage): Promise<Prediction> {
  const own = line.then(() => ensemble.predict(image));
  line = own.catch(() => undefined);
  return own;
}

/** Takes an image from a request, as a file because the decoder wants one, and answers with what was found. */
async function answer(request: IncomingMessage): Promise<object> {
  const file = join(folder, String(posted++));
  try {
    let bytes = 0;
    const limit = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        done(bytes > mostBytes ? new TilesightError('input', `more than ${mostBytes} bytes`) : null, chunk);
      },
    });
    await pipeline(request, limit, createWriteStream(file));
    const image = await nodeImages.readImage(file, ensemble.run.configuration.imageSize);
    const { score, threshold, anomalous, boxes } = await predictInLine(image);
    return { score, threshold, anomalous, boxes };
  } finally {
    await rm(file, { force: true });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', ...(status === 503 && { 'retry-after': '1' }) });
  response.end(`${JSON.stringify(body)}\n`);
}

const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    send(response, 405, { error: 'post an image' });
    return;
  }
  if (waiting >= longestLine) {
    request.resume();
    send(response, 503, { error: 'too many images at once' });
    return;
  }
  waiting += 1;
  answer(request)
    .then(
      (body) => send(response, 200, body),
      (error: unknown) => {
        // What the sender did wrong is the sender's to know; the rest is ours.
        const theirs = error instanceof TilesightError && error.kind === 'input';
        if (!theirs) console.error(error);
        send(response, theirs ? 400 : 500, { error: theirs ? 'this is no image that can be read' : 'it failed here' });
      },
    )
    .finally(() => (waiting -= 1));
});
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});

/** Lets what is in line finish, then frees the device. */
async function stop(): Promise<never> {
  server.close();
  await line;
  ensemble.destroy();
  gpu.destroy();
  await rm(folder, { recursive: true, force: true });
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
