// Owns reading the content of a registered dataset from where it lies, without hashing it again.
import { realpath } from 'node:fs/promises'
import { HeadstartError } from '../errors.js'
import { createFileReader, createTensorReader } from './reader.js'
import { detectSource } from './source.js'
import { tableRoot } from './table.js'
import { openTensor } from './tensor-rows.js'
import type { Dataset, SampleReader } from './types.js'

/**
 * A reader of a loaded dataset's samples. Each sample is checked when it is read.
 *
 * @param from absolute path that the dataset was indexed from, or where its content lies now.
 * @throws INPUT_MISSING when nothing is there; DATASET_INVALID when it is another kind of source.
 */
export const openRegistered = async (dataset: Dataset, from: string): Promise<SampleReader> => {
  const kind = await detectSource(from)
  const isTensor = kind === 'npy' || kind === 'arrow'
  if (isTensor !== (dataset.content.kind === 'tensor')) {
    const message = `${from} is a ${kind} source; the dataset holds ${dataset.content.kind} samples`
    throw new HeadstartError('DATASET_INVALID', message)
  }
  if (isTensor) {
    return createTensorReader(async () => (await openTensor(from)).source, dataset.samples)
  }
  const root = kind === 'folder' ? await realpath(from) : await tableRoot(from)
  return createFileReader(root, dataset.samples)
}
