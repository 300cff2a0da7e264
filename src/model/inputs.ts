// Owns what `predict` is given: files, folders and tensor files, to content bytes with a name each.
import type { Dirent } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { hasImageExtension } from '../dataset/folder.js'
import { MAX_SAMPLE_BYTES, rowBytesOf, rowKeyOf } from '../dataset/tensor.js'
import { nameOfRow, openTensor } from '../dataset/tensor-rows.js'
import { HeadstartError, messageOf } from '../errors.js'
import type { SampleContent } from '../extractor/extractor.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import { sampleKeyOfBytes } from '../identity/ids.js'

/** One thing to predict, or why it cannot be read. */
export type Input =
  | ({ readonly name: string } & SampleContent)
  | { readonly name: string; readonly problem: string }

const readImage = async (path: string): Promise<Input> => {
  try {
    if ((await stat(path)).size > MAX_SAMPLE_BYTES)
      return { name: path, problem: 'the file is larger than 512 MiB' }
    const content = await readFile(path)
    return { name: path, content, key: sampleKeyOfBytes(content) }
  } catch (error) {
    return { name: path, problem: `cannot be read: ${messageOf(error)}` }
  }
}

async function* imagesBelow(folder: string): AsyncGenerator<Input> {
  let entries: Dirent[]
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true })
  } catch (error) {
    yield { name: folder, problem: `cannot be read: ${messageOf(error)}` }
    return
  }
  const names = entries
    .filter((entry) => entry.isFile() && hasImageExtension(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
  for (const name of names.sort()) yield await readImage(name)
}

async function* rowsOf(path: string, shape: readonly number[]): AsyncGenerator<Input> {
  const { source } = await openTensor(path)
  try {
    if (source.shape.join() !== shape.join())
      throw new HeadstartError(
        'EXTRACTOR_INPUT_MISMATCH',
        `${path} has rows of shape [${source.shape.join(', ')}], the model takes [${shape.join(', ')}]`,
      )
    const bytes = rowBytesOf(shape)
    for (let row = 0; row < source.rows; row += 1) {
      const content = (await source.readRows(row, 1)).subarray(0, bytes)
      yield { name: `${path}#${nameOfRow(row)}`, content, key: rowKeyOf(shape, content) }
    }
  } finally {
    await source.close()
  }
}

/**
 * Reads everything at these paths, in order. Folders give the images below them. What cannot be
 * read is an answer, so that one bad path does not lose the others.
 *
 * @throws DATASET_INVALID, EXTRACTOR_INPUT_MISMATCH for tensor files that do not fit.
 */
export async function* readInputs(
  paths: AsyncIterable<string> | Iterable<string>,
  { input }: ExtractorSpec,
): AsyncGenerator<Input> {
  for await (const path of paths) {
    const found = await stat(path).catch(() => null)
    if (found === null) yield { name: path, problem: 'there is no such file' }
    else if (input.kind === 'tensor') yield* rowsOf(path, input.shape)
    else if (!found.isDirectory()) yield await readImage(path)
    else yield* imagesBelow(path)
  }
}
