// Images in a bucket behind a proxy, with features so wide that some dozens of images are one shard:
// the tests see, delay and answer every reading of a sample.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExtractionInput } from '../../../src/experiment/schema.js'
import { makeFolder } from '../../support/folders.js'
import {
  type HttpFaultProxy,
  type SeenRequest,
  startHttpProxy,
} from '../../support/http-fault-proxy.js'
import type { MotoServer } from '../../support/moto.js'
import { putFiles } from '../../support/s3-files.js'
import { writeTinyBase } from '../../support/tiny-base.js'
import { TINY_CLASSES, tinyPng } from '../../support/tiny-images.js'

/** 126 x 126 x 4 features a sample: 64 target rows a shard. */
const SIDE = 128
const PER_CLASS = 90
export const IMAGES = PER_CLASS * TINY_CLASSES.length

export interface ImagesInS3 {
  readonly bucket: string
  readonly folder: string
  readonly extraction: ExtractionInput
  readonly files: Readonly<Record<string, Buffer>>
  /** The workers' way to the bucket. */
  readonly proxy: HttpFaultProxy
}

/** The tiny base for larger images: its weights do not depend on their size. */
const writeWideBase = async (folder: string): Promise<void> => {
  await writeTinyBase(folder)
  const file = join(folder, 'model.json')
  const model = JSON.parse(await readFile(file, 'utf8'))
  const [input] = model.modelTopology.model_config.config.layers
  input.config.batch_input_shape = [null, SIDE, SIDE, 3]
  await writeFile(file, JSON.stringify(model))
}

export const putImages = async (moto: MotoServer): Promise<ImagesInS3> => {
  const folder = await makeFolder()
  await writeWideBase(join(folder, 'base'))
  const bucket = await moto.createBucket()
  const files = Object.fromEntries(
    TINY_CLASSES.flatMap((name, index) =>
      Array.from({ length: PER_CLASS }, (_, i) => [`images/${name}/${i}.png`, tinyPng(index, i)]),
    ),
  )
  await putFiles(moto, bucket, files)
  const extraction: ExtractionInput = {
    base: { from: './base', cut: 'conv', pooling: 'none' },
    dataset: { from: `s3://${bucket}/images` },
    engine: 'wasm',
  }
  const proxy = await startHttpProxy({ target: moto.endpoint })
  return { bucket, folder, extraction, files, proxy }
}

/** Whether somebody reads the content of an object. */
export const isReading = ({ method, path }: SeenRequest, name: string): boolean =>
  method === 'GET' && new URL(path, 'http://localhost').pathname.endsWith(name)
