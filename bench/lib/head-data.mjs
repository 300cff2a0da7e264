// Owns the made-up features of the benchmark of heads: classes that overlap, no value below zero, as behind
// a ReLU. The same for the same sizes; written once, because the peers read them too.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { residentSource } from '../../dist/src/features/feature-source.js'
import { createRandom } from '../../dist/src/head/random.js'
import { BENCH_CACHE } from './paths.mjs'

/** Distance of the classes' centres in an axis; small enough for errors to be left. */
const SPREAD = 0.15

/** Two standard normals at a time (Box and Muller 1958). */
const normalsOf = (random) => {
  let spare = null
  return () => {
    if (spare !== null) {
      const value = spare
      spare = null
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random.float()))
    const angle = 2 * Math.PI * random.float()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}

const make = ({ rows, width, classes }) => {
  const random = createRandom('bench heads', rows, width, classes)
  const normal = normalsOf(random)
  const centres = Float32Array.from({ length: classes * width }, () => SPREAD * normal())
  const labels = Int32Array.from({ length: rows }, () => random.below(classes))
  const features = new Float32Array(rows * width)
  for (let i = 0; i < features.length; i += 1) {
    const label = labels[Math.floor(i / width)]
    features[i] = Math.max(0, normal() + centres[label * width + (i % width)])
  }
  return { features, labels }
}

const save = async (file, values) => {
  const draft = `${file}.${process.pid}.tmp`
  await writeFile(draft, new Uint8Array(values.buffer))
  await rename(draft, file)
}

const read = async (file, Type) => {
  const bytes = await readFile(file)
  return new Type(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** @returns the files for the peers, the labels, and the data as a training takes it (all rows are train). */
export const prepareHeadData = async (sizes) => {
  const { rows, width, classes } = sizes
  await mkdir(BENCH_CACHE, { recursive: true })
  const stem = join(BENCH_CACHE, `heads-${rows}x${width}-${classes}`)
  const files = { features: `${stem}.f32`, labels: `${stem}.i32` }
  if (!existsSync(files.labels)) {
    const made = make(sizes)
    await save(files.features, made.features)
    await save(files.labels, made.labels)
  }
  const features = await read(files.features, Float32Array)
  const labels = await read(files.labels, Int32Array)
  const target = {
    kind: 'single',
    classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
  }
  const data = {
    ...{ rows, width, target, featureShape: [width] },
    features: residentSource([features], width),
    labels: Array.from(labels, (label) => [label]),
    splits: new Array(rows).fill('train'),
  }
  return { files, features, labels, data }
}
