/** What kind of failure it is; decides the exit code of the command line (usage 2, the rest 1, cancelled 130). */
export type ErrorKind = 'usage' | 'input' | 'memory' | 'device' | 'numbers' | 'cancelled';

/**
 * An error that a user can act on. The message is one line: what is wrong, where, and what to do.
 * Anything else that is thrown is a defect of Tilesight itself.
 */
export class TilesightError extends Error {
  override readonly name = 'TilesightError';
  constructor(
    readonly kind: ErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
