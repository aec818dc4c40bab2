/** Markup that is safe to put into a page as it is. Made by {@link html} or, with care, by {@link raw}. */
export interface Markup {
  readonly markup: string;
}

/** What may stand in the holes of {@link html}: text is escaped, markup is not, lists are joined, the absent is empty. */
export type Hole = string | number | Markup | undefined | false | readonly Hole[];

/** Markup from a template; every hole that is text is escaped, in elements and in quoted attributes alike. */
export function html(template: TemplateStringsArray, ...holes: readonly Hole[]): Markup {
  return { markup: template.map((text, index) => text + render(holes[index])).join('') };
}

/** Text that is markup already, such as a plot. */
export function raw(markup: string): Markup {
  return { markup };
}

function render(hole: Hole): string {
  if (hole === undefined || hole === false) return '';
  if (typeof hole === 'string') return escape(hole);
  if (typeof hole === 'number') return String(hole);
  if ('markup' in hole) return hole.markup;
  return hole.map(render).join('');
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
