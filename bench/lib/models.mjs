// Owns the bases of the benchmarks: real weights where there are any, made up ones elsewhere. Made once.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { prepareBase } from '../../examples/samples/prepare.mjs'
import { BENCH_CACHE, PEER_PYTHON } from './paths.mjs'
import { PYTHON_ENVIRONMENT } from './peer-process.mjs'

const MAKE_BASE = join(import.meta.dirname, '../peers/make_base.py')

/** `sample`: a name of examples/samples; otherwise the peers make the base, with random weights. */
export const MODELS = {
  mobilenet_v2: { side: 224, cut: 'flatten_1', sample: true },
  inception_v3: { side: 299, cut: 'flatten_1', sample: true },
  resnet50: { side: 224, cut: 'avg_pool' },
  vit_b16: { side: 224, cut: 'features', file: 'vit_b16.onnx' },
}

const makeBase = async (model, target) => {
  if (existsSync(target)) return
  await mkdir(dirname(target), { recursive: true })
  if (!existsSync(PEER_PYTHON))
    throw new Error(
      `${model} is made by the Python peers: run \`node bench/peers/setup.mjs\` first`,
    )
  const draft = join(dirname(target), `draft-${process.pid}-${MODELS[model].file ?? model}`)
  try {
    await promisify(execFile)(PEER_PYTHON, [MAKE_BASE, model, draft], {
      env: { ...process.env, ...PYTHON_ENVIRONMENT },
    })
    await rename(draft, target)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** @returns the folder or file to register. */
export const prepareModel = async (model) => {
  const known = MODELS[model]
  if (known === undefined)
    throw new Error(`no model ${model}; there are ${Object.keys(MODELS).join(', ')}`)
  const target = join(BENCH_CACHE, known.file ?? model)
  await (known.sample ? prepareBase(model, target) : makeBase(model, target))
  return target
}
