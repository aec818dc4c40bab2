/**
 * Lines that the native libraries below WebGPU print although nothing is wrong.
 *
 * They are written by C++ straight to file descriptor 2. Node cannot duplicate a descriptor, so nothing inside the process
 * can hold them back without risking the lines around them: closing and reopening descriptor 2 would race with every
 * other thread that opens a file. What can be prevented at the source is prevented when the adapter is opened (the
 * `XDG_RUNTIME_DIR` line, by giving Mesa a folder; the lines of a loader or driver that fails, by looking before Dawn does). What
 * remains are the two notes of Dawn on lavapipe; whoever reads the stderr of another Tilesight process drops them with
 * {@link withoutKnownWarnings}.
 */
const known: readonly RegExp[] = [
  /^Warning: maxDynamic(Uniform|Storage)BuffersPerPipelineLayout artificially reduced from \d+ to \d+ to fit dynamic offset allocation limit\.$/,
  /^error: XDG_RUNTIME_DIR is invalid or not set in the environment\.$/,
];

/** Text from another process's stderr without the known harmless lines; every other line is kept as it is. */
export function withoutKnownWarnings(text: string): string {
  return text
    .split('\n')
    .filter((line) => !known.some((pattern) => pattern.test(line.replace(/\r$/, ''))))
    .join('\n');
}
