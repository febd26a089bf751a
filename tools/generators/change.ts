import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';

/**
 * What a generator is about to write. Nothing is written until {@link Change.apply}, so a generator that stumbles half-way leaves the
 * repository as it was.
 */
export class Change {
  private readonly files = new Map<string, string>();

  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** @throws Error when the file exists: a generator overwrites nothing. */
  add(path: string, text: string): void {
    if (existsSync(join(this.root, path))) throw new Error(`${path} exists already`);
    this.files.set(path, text);
  }

  /** @throws Error when the file does not exist, or `edit` found nothing to do. */
  async edit(path: string, edit: (text: string) => string): Promise<void> {
    const before = this.files.get(path) ?? (await readFile(join(this.root, path), 'utf8'));
    const after = edit(before);
    if (after === before) throw new Error(`${path} does not look as expected: change it by hand`);
    this.files.set(path, after);
  }

  /** @returns the paths that were written, formatted as the repository wants it. */
  async apply(): Promise<string[]> {
    for (const [path, text] of this.files) {
      const file = join(this.root, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
    }
    return [...this.files.keys()];
  }
}

/** Adds an item at the end of the array literal that `name` is declared with. */
export const appendTo = (name: string, item: string) => (text: string) =>
  text.replace(new RegExp(`(const ${name}\\b[^=]*= \\[)([^\\]]*)\\]`), (_, head: string, items: string) => {
    const kept = items.trim().replace(/,$/, '');
    return `${head}${kept ? `${kept}, ` : ''}${item}]`;
  });

/** Adds a named import, to the import from the same module when there is one. */
export const importFrom = (module: string, name: string) => (text: string) => {
  const start = text.search(new RegExp(`^import \\{[^}]*\\} from '${module.replaceAll('.', '\\.')}';`, 'm'));
  if (start < 0)
    return `import { ${name} } from '${module}';\n${text.startsWith('import ') ? '' : '\n'}${text.trimStart()}`;
  return text.slice(0, start) + text.slice(start).replace(/^import \{\s*/, `import { ${name}, `);
};
