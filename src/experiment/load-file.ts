// Owns reading an experiment file from disk, with the topologies of custom heads that it names.
import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { HeadstartError, messageOf } from '../errors.js'
import { type Experiment, parseExperiment } from './schema.js'

const MAX_FILE_BYTES = 16 * 2 ** 20

const readJson = async (path: string): Promise<unknown> => {
  let text: string
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES)
      throw new Error(`more than ${MAX_FILE_BYTES} bytes`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new HeadstartError('INPUT_MISSING', `cannot read ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw new HeadstartError('REQUEST_INVALID', `${path} is not JSON: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** In a file, `topology` may be the path of a model.json or of a bare topology. */
const inlineTopology = async (head: unknown, folder: string): Promise<unknown> => {
  if (!isObject(head) || typeof head.topology !== 'string') return head
  const json = await readJson(resolve(folder, head.topology))
  return { ...head, topology: isObject(json) ? (json.modelTopology ?? json) : json }
}

export interface LoadedExperiment {
  readonly experiment: Experiment
  /** Relative paths in the experiment start here. */
  readonly folder: string
}

/** @throws INPUT_MISSING, REQUEST_INVALID. */
export const loadExperimentFile = async (path: string): Promise<LoadedExperiment> => {
  const folder = dirname(resolve(path))
  const json = await readJson(path)
  const heads = isObject(json) ? json.heads : undefined
  const input = Array.isArray(heads)
    ? {
        ...(json as object),
        heads: await Promise.all(heads.map((head) => inlineTopology(head, folder))),
      }
    : json
  return { experiment: parseExperiment(input), folder }
}
