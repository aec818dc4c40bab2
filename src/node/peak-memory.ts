/** Resident memory of this process in bytes. */
export interface ResidentMemory {
  readonly now: number;
  /** The most there has been since the process started. */
  readonly peak: number;
}

/** Resident memory of this process, now and at its peak, as the system counts it (shared pages included). */
export function residentMemory(): ResidentMemory {
  const now = process.memoryUsage.rss();
  // Node gives the peak in KiB on every platform.
  return { now, peak: Math.max(now, process.resourceUsage().maxRSS * 1024) };
}
