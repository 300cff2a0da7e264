// Owns what the benchmarks run on: the real MobileNetV2, emoji, and a store that is deleted afterwards.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { indexDataset } from '../../dist/src/dataset/index-dataset.js'
import { openWorkspace } from '../../dist/src/experiment/workspace.js'
import { prepareBase, prepareEmoji } from '../../examples/samples/prepare.mjs'
import { openSubject } from './subject.mjs'

const DATA = join(import.meta.dirname, '../.cache')
const CACHE_BYTES = 2 ** 30

export const CUT = 'flatten_1'
export const PREPROCESS = { size: [224, 224], fit: 'fill', range: '0..1' }

/** @returns folders of the sample base and of all emoji. */
export const prepareSamples = async () => {
  const samples = { base: join(DATA, 'mobilenet_v2'), images: join(DATA, 'images') }
  await prepareBase('mobilenet_v2', samples.base)
  await prepareEmoji(samples.images)
  return samples
}

/** A temporary folder with a workspace; both are gone when `work` has ended. */
export const withWorkspace = async (work) => {
  const directory = await mkdtemp(join(tmpdir(), 'headstart-bench-'))
  const workspace = await openWorkspace({ directory, cacheBytes: CACHE_BYTES })
  try {
    return await work({ workspace, directory })
  } finally {
    await workspace.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Registers the base, indexes a folder of images and resolves the plain view's extractor. */
export const openSetting = async ({ workspace, base: from, images, engine = 'auto' }) => {
  const { store, engines: settings, hashCacheDir } = workspace
  const opened = await indexDataset({
    spec: { from: images, target: 'single' },
    cacheDir: hashCacheDir,
    baseDir: images,
  })
  const { content } = opened.dataset
  const pooling = 'avg'
  const subject = {
    store,
    from,
    cut: CUT,
    engine,
    preprocess: PREPROCESS,
    pooling,
    content,
    settings,
  }
  return { ...(await openSubject(subject)), opened }
}
