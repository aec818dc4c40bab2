/** Longest rest between two looks at the device, in milliseconds: what a wait is late by at most. */
const longestRest = 1;

/** Share of a wait that may be slept through before the next look. */
const restShare = 1 / 16;

/**
 * Dawn for Node asks a device whether it is done in every turn of the event loop, as fast as it turns, for as long as
 * anything is waited for. A software adapter computes on the same cores, which loses one of them to the asking: with two
 * cores everything takes half as long again. So the thread rests a little in each turn while there is something to wait for.
 *
 * @returns to be told of every operation that is waited for.
 */
export function restBetweenPolls(): (operation: Promise<unknown>) => void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  let waiting = 0;
  let turning = false;
  let since = 0;
  const turn = (): void => {
    turning = waiting > 0;
    if (!turning) return;
    Atomics.wait(never, 0, 0, Math.min(longestRest, (performance.now() - since) * restShare));
    setImmediate(turn);
  };
  return (operation) => {
    waiting += 1;
    since = performance.now();
    if (!turning) setImmediate(turn);
    turning = true;
    const done = (): void => {
      waiting -= 1;
      since = performance.now();
    };
    operation.then(done, done);
  };
}
