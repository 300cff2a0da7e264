// Owns making real input out of the sample packages: pretrained bases (nsfwjs) and emoji in class
// folders. Refuses to change a folder that exists: it was completed, so preparing it again is free.
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

const require = createRequire(import.meta.url)
const PACKAGES = join(import.meta.dirname, 'node_modules')
const EMOJI = join(PACKAGES, 'emoji-datasource-twitter')

/** The bases in nsfwjs: two LayersModels and a GraphModel. */
export const BASES = ['mobilenet_v2', 'inception_v3', 'mobilenet_v2_mid']

/** Fills a folder beside its place and moves it there whole, so that a half-made one is never used. */
const makeFolder = async (target, fill) => {
  if (await readdir(target).catch(() => null)) return
  await mkdir(dirname(target), { recursive: true })
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`))
  try {
    await fill(draft)
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Somebody else was faster; the content is the same.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
  }
}

const assertInstalled = async (folder) => {
  if (await readdir(folder).catch(() => null)) return
  throw new Error(`${folder} is missing: run \`node scripts/setup.mjs\` first`)
}

/**
 * Writes model.json and the weight files of a base.
 *
 * @param {string} name one of BASES.
 * @param {string} targetDir
 */
export const prepareBase = async (name, targetDir) => {
  if (!BASES.includes(name)) throw new Error(`no sample base ${name}; there are ${BASES}`)
  const source = join(PACKAGES, 'nsfwjs/dist/models', name)
  await assertInstalled(source)
  await makeFolder(targetDir, async (draft) => {
    for (const file of await readdir(source)) {
      if (!file.endsWith('.min.js')) continue
      // model.min.js exports the JSON, each group*.min.js its bytes in base64.
      const loaded = require(join(source, file))
      const value = loaded.default ?? loaded
      const [target, content] =
        typeof value === 'string'
          ? [file.slice(0, -'.min.js'.length), Buffer.from(value, 'base64')]
          : ['model.json', JSON.stringify(value)]
      await writeFile(join(draft, target), content)
    }
  })
}

/** `Smileys & Emotion` becomes `smileys-and-emotion`. */
const folderName = (category) =>
  category
    .toLowerCase()
    .replaceAll('&', 'and')
    .replaceAll(/[^a-z0-9]+/g, '-')

const listEmoji = async () => {
  const all = JSON.parse(await readFile(join(EMOJI, 'emoji.json'), 'utf8'))
  return all
    .filter(({ has_img_twitter, category }) => has_img_twitter && category !== 'Component')
    .map(({ image, category }) => ({ image, className: folderName(category) }))
}

/**
 * The emoji of each class, in the order of the package. With a limit they are taken at even
 * distances, so that they are as mixed as the class.
 *
 * @param {number} [limitPerClass]
 * @returns {Promise<Map<string, string[]>>} class name to the paths of its PNG files.
 */
export const findEmoji = async (limitPerClass = Number.POSITIVE_INFINITY) => {
  await assertInstalled(EMOJI)
  const classes = new Map()
  for (const { image, className } of await listEmoji()) {
    const images = classes.get(className) ?? []
    classes.set(className, images)
    images.push(join(EMOJI, 'img/twitter/64', image))
  }
  const pick = (items) => {
    const count = Math.min(items.length, limitPerClass)
    return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)])
  }
  return new Map([...classes].map(([name, images]) => [name, pick(images)]))
}

/**
 * Makes nine class folders of emoji: 1,906 PNG files of 64 x 64 pixels, or fewer with a limit. A folder
 * is made once: use another folder for another limit.
 *
 * @param {string} targetDir
 * @param {{ limitPerClass?: number }} [options]
 */
export const prepareEmoji = async (targetDir, { limitPerClass } = {}) => {
  const classes = await findEmoji(limitPerClass)
  await makeFolder(targetDir, async (draft) => {
    for (const [name, files] of classes) {
      await mkdir(join(draft, name))
      for (const file of files) await cp(file, join(draft, name, basename(file)))
    }
  })
}
