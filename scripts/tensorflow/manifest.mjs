// Owns the record of a finished build. It is written last: a build that was cut short has none.
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Raised when the same request must be built anew. */
const RECIPE = 1

const fileOf = (folder) => join(folder, 'headstart-tensorflow.json')

/** @returns {Promise<object | null>} null when there is none or it cannot be read. */
const readManifest = async (folder) => {
  try {
    return JSON.parse(await readFile(fileOf(folder), 'utf8'))
  } catch {
    return null
  }
}

const sizeOf = async (file) => (await stat(file).catch(() => null))?.size ?? null

/** Sizes of files that a build consists of, by path below its folder. */
const sizesOf = async (folder, paths) =>
  Object.fromEntries(
    await Promise.all(paths.map(async (path) => [path, await sizeOf(join(folder, path))])),
  )

/**
 * @param {string} folder
 * @param {{ gpu: boolean, sha256: string | null }} wanted `sha256` of the wheel; null: any.
 * @returns {Promise<object | null>} the manifest of a build that is whole and as wanted.
 */
export const findBuild = async (folder, wanted) => {
  const manifest = await readManifest(folder)
  if (manifest?.recipe !== RECIPE || manifest.gpu !== wanted.gpu) return null
  if (wanted.sha256 !== null && manifest.wheel?.sha256 !== wanted.sha256) return null
  const found = await sizesOf(folder, Object.keys(manifest.bytes ?? {}))
  return Object.entries(manifest.bytes ?? {}).every(([path, bytes]) => found[path] === bytes)
    ? manifest
    : null
}

/**
 * @param {string} folder
 * @param {{ paths: readonly string[] }} build `paths`: files that must be there; the rest is recorded.
 */
export const writeManifest = async (folder, { paths, ...build }) => {
  const manifest = { recipe: RECIPE, ...build, bytes: await sizesOf(folder, paths) }
  await writeFile(fileOf(folder), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}
