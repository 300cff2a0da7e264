// Owns what `predict` is given: files, folders and tensor files, to content bytes with a name each.
// What cannot be read is an answer, so that one bad path does not lose the others.
import { opendir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { hasImageExtension } from '../dataset/class-folders.js'
import { MAX_IMAGE_BYTES } from '../dataset/reader.js'
import { rowBytesOf, rowKeyOf } from '../dataset/tensor.js'
import { nameOfRow, openTensor } from '../dataset/tensor-rows.js'
import { assertNotAborted, type ErrorCode, HeadstartError, messageOf } from '../errors.js'
import type { SampleContent } from '../extractor/extractor.js'
import type { ExtractorSpec } from '../extractor/spec.js'
import { sampleKeyOfBytes } from '../identity/ids.js'

/** One thing to predict, or why it cannot be read. */
export type Input =
  | ({ readonly name: string } & SampleContent)
  | { readonly name: string; readonly problem: string }

/** How the inputs of one model are read. */
interface Kind {
  /** Which files of a folder are meant. */
  readonly takes: (fileName: string) => boolean
  readonly read: (path: string) => AsyncIterable<Input>
}

async function* readImage(path: string): AsyncGenerator<Input> {
  try {
    if ((await stat(path)).size > MAX_IMAGE_BYTES)
      yield { name: path, problem: 'the file is larger than 64 MiB' }
    else {
      const content = await readFile(path)
      yield { name: path, content, key: sampleKeyOfBytes(content) }
    }
  } catch (error) {
    yield { name: path, problem: `cannot be read: ${messageOf(error)}` }
  }
}

/** What is wrong with one tensor file, and says nothing of the others. */
const TENSOR_PROBLEMS: ReadonlySet<ErrorCode> = new Set([
  'INPUT_MISSING',
  'DATASET_INVALID',
  'DATASET_CHANGED',
  'EXTRACTOR_INPUT_MISMATCH',
])

async function* rowsOf(path: string, shape: readonly number[]): AsyncGenerator<Input> {
  const { source } = await openTensor(path)
  try {
    if (source.shape.join() !== shape.join())
      throw new HeadstartError(
        'EXTRACTOR_INPUT_MISMATCH',
        `rows of shape [${source.shape.join(', ')}], the model takes [${shape.join(', ')}]`,
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

async function* readTensor(path: string, shape: readonly number[]): AsyncGenerator<Input> {
  try {
    yield* rowsOf(path, shape)
  } catch (error) {
    if (!(error instanceof HeadstartError && TENSOR_PROBLEMS.has(error.code))) throw error
    yield { name: path, problem: error.message }
  }
}

const isTensorName = (name: string): boolean =>
  ['.npy', '.arrow'].includes(extname(name).toLowerCase())

const kindOf = ({ input }: ExtractorSpec): Kind =>
  input.kind === 'tensor'
    ? { takes: isTensorName, read: (path) => readTensor(path, input.shape) }
    : { takes: hasImageExtension, read: readImage }

/** In the order of names, one folder in memory at a time for each level. Links are left out. */
async function* readBelow(
  folder: string,
  kind: Kind,
  signal: AbortSignal | undefined,
): AsyncGenerator<Input> {
  const items: { readonly name: string; readonly isFolder: boolean }[] = []
  try {
    for await (const entry of await opendir(folder)) {
      assertNotAborted(signal)
      const isFolder = entry.isDirectory()
      if (isFolder || (entry.isFile() && kind.takes(entry.name)))
        items.push({ name: entry.name, isFolder })
    }
  } catch (error) {
    assertNotAborted(signal)
    yield { name: folder, problem: `cannot be read: ${messageOf(error)}` }
    return
  }
  items.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const { name, isFolder } of items) {
    assertNotAborted(signal)
    const path = join(folder, name)
    yield* isFolder ? readBelow(path, kind, signal) : kind.read(path)
  }
}

/**
 * Reads everything at these paths, in order. Folders give the images below them, for models of
 * rows the .npy and .arrow files.
 *
 * @throws INTERRUPTED
 */
export async function* readInputs(
  paths: AsyncIterable<string> | Iterable<string>,
  extractor: ExtractorSpec,
  signal?: AbortSignal,
): AsyncGenerator<Input> {
  const kind = kindOf(extractor)
  for await (const path of paths) {
    const found = await stat(path).catch(() => null)
    if (found === null) yield { name: path, problem: 'there is no such file' }
    else yield* found.isDirectory() ? readBelow(path, kind, signal) : kind.read(path)
  }
}
