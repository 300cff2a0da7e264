// Owns experiments and datasets for the tests of sweep plans.
import type { Dataset, Split, Target } from '../../../src/dataset/types.js'
import { type Experiment, parseExperiment } from '../../../src/experiment/schema.js'
import { sha256 } from '../../../src/identity/hash.js'

/** An experiment with these heads and members. */
export const experimentOf = (
  heads: unknown,
  members: Readonly<Record<string, unknown>> = {},
): Experiment =>
  parseExperiment({
    base: { from: './base', cut: 'pool' },
    dataset: { from: './images' },
    heads,
    ...members,
  })

/** Samples with these labels and splits. */
export const datasetOf = (
  target: Target,
  rows: readonly { readonly label: readonly number[]; readonly split?: Split }[],
): Dataset => ({
  datasetId: sha256('dataset'),
  contentId: sha256('content'),
  content: { kind: 'tensor', dtype: 'float32', shape: [4] },
  target,
  samples: rows.map(({ label, split = 'train' }, row) => ({
    key: sha256(`row ${row}`),
    names: [`row-${row}`],
    label,
    split,
  })),
  notes: [],
})
