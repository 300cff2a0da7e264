// Owns the data that reports are tested with: runs that were really trained on made-up features, a made-up
// sweep, and names as an enemy would choose them.
import type { Sample, Target } from '../../src/dataset/types.js'
import { metricsOf } from '../../src/head/metrics.js'
import { openHead } from '../../src/head/predict-head.js'
import type { HeadSpecInput } from '../../src/head/spec.js'
import { trainHead } from '../../src/head/train.js'
import type { TrainingData } from '../../src/head/types.js'
import { sha256 } from '../../src/identity/hash.js'
import { mistakesOf, predictionsOf } from '../../src/report/predictions.js'
import { makeThumbnail } from '../../src/report/thumbnail.js'
import type { RunReport } from '../../src/report/types.js'
import { dataOf, normals, plainOf, specOf } from '../head/synthetic.js'
import { recordOf } from '../model/records.js'
import { picture } from '../support/images.js'

/** Names that would break a page that trusts them. */
export const HOSTILE = [
  '<script>alert(1)</script>',
  `"><img src=x onerror="alert('2')">`,
  '\u202egnp.exe\u202c and \u2067more',
  'x'.repeat(10_000),
  "' onmouseover='alert(3)",
  '</style></svg><svg onload=alert(4)>',
  'line\nbreak\u0000\u0007\u2028end',
  '\ud800 alone, 👩‍🔬 together',
] as const

const CLASSES = ['anemone', 'bluebell', 'crocus', 'daisy', 'foxglove', 'iris', 'poppy'] as const

/** Blobs with classes of unequal size that partly overlap, so that heads make mistakes. */
export const flowers = (classes: readonly string[] = CLASSES, rows = 700): TrainingData => {
  const normal = normals(7)
  const width = 12
  const made = Array.from({ length: rows }, (_, row) => {
    const label = Math.floor(Math.sqrt((row * 37) % (classes.length * classes.length)))
    const features = Array.from({ length: width }, (_, axis) => {
      const centre = axis % classes.length === label ? 1.9 : axis === label + 1 ? 1.2 : 0
      return normal() + centre
    })
    return { features, label: [label] }
  })
  return dataOf({ kind: 'single', classes }, width, made)
}

/** Three labels, none to all of them at once. */
export const tags = (): TrainingData => {
  const normal = normals(8)
  const classes = ['indoor', 'people', 'night']
  const made = Array.from({ length: 400 }, (_, row) => {
    const label = classes.flatMap((_, index) => ((row >> index) % (index + 2) === 0 ? [index] : []))
    const features = Array.from(
      { length: 6 },
      (_, axis) => normal() + (label.includes(axis % 3) ? 1.6 : 0),
    )
    return { features, label }
  })
  return dataOf({ kind: 'multi', classes }, 6, made)
}

/** Two outputs of different units. */
export const sizes = (): TrainingData => {
  const normal = normals(9)
  const made = Array.from({ length: 400 }, () => {
    const features = Array.from({ length: 5 }, normal)
    const [a = 0, b = 0, c = 0] = features
    return {
      features,
      label: [170 + 9 * a + 4 * b + 2 * normal(), 0.02 * c + 0.4 + 0.004 * normal()],
    }
  })
  return dataOf({ kind: 'regression', outputs: ['height', 'ratio'] }, 5, made)
}

const sampleOf = (data: TrainingData, row: number): Sample => ({
  key: sha256(`sample ${row}`),
  names: [`meadow/IMG_${4000 + row}.jpg`],
  label: data.labels[row] ?? [],
  split: data.splits[row] ?? 'train',
})

const unitsOf = (target: Target): number =>
  target.kind === 'regression' ? target.outputs.length : target.classes.length

/** Trains a head for real and reports it, thumbnails included. */
export const trainedReport = async (
  data: TrainingData,
  input: HeadSpecInput,
): Promise<RunReport> => {
  const spec = specOf(input)
  const trained = await trainHead({ data, spec, seed: 1 })
  const head = await openHead(trained.artifacts)
  const outputs = head.predict(plainOf(data), data.rows)
  head.close()
  const units = unitsOf(data.target)
  const measure = (split: Sample['split']) => {
    const rows = data.splits.flatMap((of, row) => (of === split ? [row] : []))
    const samples = rows.map((row) => sampleOf(data, row))
    const values = Float32Array.from(
      rows.flatMap((row) => [...outputs.subarray(row * units, (row + 1) * units)]),
    )
    return {
      count: rows.length,
      metrics: metricsOf(
        data.target,
        values,
        samples.map(({ label }) => label),
      ),
      predictions: predictionsOf(data.target, values, samples),
    }
  }
  const [train, validation, test] = [measure('train'), measure('validation'), measure('test')]
  const shown = mistakesOf(test.predictions, 12)
  const thumbnails = await Promise.all(
    shown.map(async ({ key }, i): Promise<[string, string | null]> => {
      const png = await picture(120 + 20 * i, 160, i + 1)
        .png()
        .toBuffer()
      return [key, await makeThumbnail(png)]
    }),
  )
  const run = recordOf({
    runId: sha256(JSON.stringify([spec, data.target])),
    base: { id: sha256('base'), from: './mobilenet_v2_100_224' },
    dataset: {
      datasetId: sha256('dataset'),
      contentId: sha256('content'),
      from: '/home/someone/secret/meadow',
      samples: { train: train.count, validation: validation.count, test: test.count },
      quarantined: 3,
    },
    target: data.target as ReturnType<typeof recordOf>['target'],
    head: JSON.parse(JSON.stringify(spec)),
    metrics: JSON.parse(
      JSON.stringify({
        train: train.metrics,
        validation: validation.metrics,
        test: test.metrics,
      }),
    ),
    history: JSON.parse(JSON.stringify(trained.history)),
    bestEpoch: trained.bestEpoch,
    stoppedEarly: trained.stoppedEarly,
  })
  return {
    kind: 'run',
    run,
    predictions: { validation: validation.predictions, test: test.predictions },
    thumbnails: Object.fromEntries(thumbnails.filter(([, uri]) => uri !== null)) as Record<
      string,
      string
    >,
    quarantine: [
      { name: 'meadow/IMG_0001.jpg', reason: 'the JPEG image is damaged or incomplete' },
      { name: 'meadow/notes.txt', reason: 'not a JPEG, PNG, WebP, GIF, AVIF or TIFF image' },
      { name: 'meadow/empty.png', reason: 'the file is empty' },
    ],
    notes: ['4 files have the same content as another one: they are one sample each'],
  }
}
