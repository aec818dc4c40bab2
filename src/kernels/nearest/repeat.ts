/**
 * Unrolls a kernel's text: a block between the comment lines `// repeat A B` and `// end` is repeated for every value of
 * the named counters (the last one fastest), each occurrence of a counter's name replaced by its value. Subgroup
 * broadcasts need it, as they take constant lane numbers only.
 */
export function unroll(source: string, counts: Readonly<Record<string, number>>): string {
  return source.replace(
    /^[ \t]*\/\/ repeat ([A-Z ]+)\n([\s\S]*?)^[ \t]*\/\/ end\n/gm,
    (_, names: string, block: string) => {
      let copies = [block];
      for (const name of names.trim().split(' ')) {
        const count = counts[name];
        if (count === undefined) throw new Error(`nothing says how often to repeat ${name}`);
        const pattern = new RegExp(`\\b${name}\\b`, 'g');
        copies = copies.flatMap((copy) =>
          Array.from({ length: count }, (_unused, value) => copy.replace(pattern, `${value}u`)),
        );
      }
      return copies.join('');
    },
  );
}
