import { describe, expect, it } from 'vitest';
import { restBetweenPolls } from '../../src/node/polling.js';

/** Turns of the event loop until an operation ends. */
async function turnsDuring(operation: Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = (): void => {
    turns += 1;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await operation;
  over = true;
  return turns;
}

const after = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('resting between polls', () => {
  it('lets the event loop turn seldom while something is waited for', async () => {
    const waiting = restBetweenPolls();
    const operation = after(200);
    waiting(operation);
    // A rest is a sixteenth of the wait so far, a millisecond at most: some 16·ln(16 ms / least rest) turns, then one a millisecond.
    expect(await turnsDuring(operation)).toBeLessThan(1000);
  });

  it('ends with the last operation, also with one that fails', async () => {
    const waiting = restBetweenPolls();
    const failing = after(5).then(() => Promise.reject(new Error('lost')));
    waiting(after(10));
    waiting(failing);
    await expect(failing).rejects.toThrow('lost');
    await after(20);
    // With nothing left to wait for the loop turns as fast as it can again.
    expect(await turnsDuring(after(50))).toBeGreaterThan(1000);
  });
});
