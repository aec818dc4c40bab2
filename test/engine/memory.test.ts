import { describe, expect, it } from 'vitest';
import { Accountant, allocationSize, formatBytes, parseBytes } from '../../src/engine/memory.js';

describe('accountant', () => {
  it('counts live, peak and owners, and refuses before the budget is passed', () => {
    const memory = new Accountant(1000);
    memory.allocate(600, 'weights', 'a');
    memory.allocate(300, 'activations', 'b');
    expect(() => memory.allocate(200, 'slots', 'c')).toThrow(
      /c \(slots\) needs 200 B on top of 900 B, the budget is 1000 B/,
    );
    memory.release(600, 'weights');
    expect(memory.liveBytes).toBe(300);
    expect(memory.peakBytes).toBe(900);
    expect([...memory.byOwner]).toEqual([['activations', 300]]);
    expect(memory.peakByOwner.get('weights')).toBe(600);
    memory.resetPeak();
    expect(memory.peakBytes).toBe(300);
  });

  it('keeps peaks when it thins its curve', () => {
    const memory = new Accountant();
    for (let i = 0; i < 10_000; i++) {
      memory.allocate(i === 5000 ? 999 : 10, 'a', 'x');
      memory.release(i === 5000 ? 999 : 10, 'a');
    }
    expect(memory.samples.length).toBeLessThanOrEqual(4000);
    expect(Math.max(...memory.samples.map((sample) => sample.bytes))).toBe(999);
  });
});

describe('sizes in bytes', () => {
  it('reads what people write', () => {
    expect(parseBytes('512MiB')).toBe(512 * 2 ** 20);
    expect(parseBytes('4GB')).toBe(4e9);
    expect(parseBytes('2g')).toBe(2 * 2 ** 30);
    expect(parseBytes('1.5 KiB')).toBe(1536);
    expect(parseBytes('100')).toBe(100);
    expect(parseBytes('lots')).toBeUndefined();
  });

  it('prints them', () => {
    expect(formatBytes(0)).toBe('0 B');
    expect(formatBytes(1023)).toBe('1023 B');
    expect(formatBytes(86_704_128)).toBe('82.7 MiB');
    expect(formatBytes(2 ** 31)).toBe('2.00 GiB');
  });

  it('rounds allocations to what a device gives', () => {
    expect(allocationSize(0)).toBe(16);
    expect(allocationSize(17) % 4).toBe(0);
    expect(allocationSize(17)).toBeGreaterThanOrEqual(17);
  });
});
