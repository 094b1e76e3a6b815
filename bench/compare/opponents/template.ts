import { readFile, rename, writeFile } from 'node:fs/promises';

/** The text of a file under `config/` with every `${NAME}` replaced. Throws on a name that has no value. */
export async function fillTemplate(file: string, values: Readonly<Record<string, string | number>>): Promise<string> {
  const text = await readFile(new URL(`config/${file}`, import.meta.url), 'utf8');
  return text.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${file}: nothing was given for ${name}`);
    return String(value);
  });
}

/** Writes a file beside its place and moves it there: who watches it never reads half of it. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.next`, text);
  await rename(`${path}.next`, path);
}
