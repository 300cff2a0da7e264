// The plan of gc over made-up stores: never what is needed or young, and everything else.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type GarbageFacts, type GarbagePlan, planGarbage } from '../../src/catalog/plan-garbage.js'
import { sha256 } from '../../src/identity/hash.js'
import type { ListedObject } from '../../src/store/port.js'

const NOW = 1_000_000
const GRACE = 1000
const LIMITS = { nowMs: NOW, graceMs: GRACE }
const COUNT = 4

const idOf = (kind: string, n: number): string => sha256(`${kind} ${n}`)
const shardOf = (extractor: number, n: number): string =>
  `features/${idOf('extractor', extractor)}/${sha256('f')}-${sha256('l')}-${sha256(`s${n}`)}.arrow`

const number = fc.integer({ min: 0, max: COUNT - 1 })
const numbers = fc.uniqueArray(number)

/** Every key that such a store can hold. */
const ALL_KEYS = [0, 1, 2, 3]
  .flatMap((n) => [
    `bases/${idOf('base', n)}/base.json`,
    `bases/${idOf('base', n)}/0weights`,
    `datasets/${idOf('dataset', n)}/dataset.json`,
    `datasets/${idOf('dataset', n)}/index.arrow`,
    `extractors/${idOf('extractor', n)}.json`,
    `runs/${idOf('run', n)}/run.json`,
    `runs/${idOf('run', n)}/head/weights`,
    `doctor/${n}/race`,
    `blobs/${idOf('sample', n)}`,
    ...[0, 1, 2, 3].map((shard) => shardOf(n, shard)),
  ])
  .sort()

const objectsOf = (keys: readonly string[], ages: readonly number[]): ListedObject[] =>
  keys.map((key, i) => ({ key, bytes: i + 1, modifiedMs: NOW - (ages[i] ?? 0) }))

// Mostly old: only what is old tests whether something else keeps it.
const age = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(GRACE, 9e5) },
  { weight: 1, arbitrary: fc.constantFrom(-5, GRACE - 1) },
)

const facts: fc.Arbitrary<GarbageFacts> = fc.record({
  objects: fc
    .record({
      keys: fc.subarray(ALL_KEYS),
      ages: fc.array(age, { minLength: ALL_KEYS.length, maxLength: ALL_KEYS.length }),
    })
    .map(({ keys, ages }) => objectsOf(keys, ages)),
  names: fc.array(
    fc
      .record({ kind: fc.constantFrom('run', 'base', 'dataset'), n: number })
      .map(({ kind, n }) => ({
        kind,
        name: `${kind}-${n}`,
        id: idOf(kind, n),
        from: null,
      })),
    { maxLength: 3 },
  ),
  runs: fc.array(
    fc.record({ run: number, base: number, dataset: number, extractors: numbers }).map((run) => ({
      runId: idOf('run', run.run),
      baseId: idOf('base', run.base),
      datasetId: idOf('dataset', run.dataset),
      extractorIds: run.extractors.map((n) => idOf('extractor', n)),
      featureSetIds: [],
    })),
    { maxLength: 2 },
  ),
  sweeps: fc.array(
    fc.record({ sweep: number, base: number, dataset: number }).map((sweep) => ({
      sweepId: idOf('sweep', sweep.sweep),
      baseId: idOf('base', sweep.base),
      datasetId: idOf('dataset', sweep.dataset),
    })),
    { maxLength: 2 },
  ),
  featureSets: fc.array(
    fc.record({ extractor: number, shards: numbers }).map(({ extractor, shards }) => ({
      extractorId: idOf('extractor', extractor),
      shards: shards.map((n) => ({ key: shardOf(extractor, n) })),
    })),
    { maxLength: 3 },
  ),
  pushed: fc.array(
    fc
      .record({
        dataset: number,
        samples: numbers,
        isComplete: fc.boolean(),
        pushingAge: fc.option(age),
        age,
      })
      .map((pushed) => ({
        datasetId: idOf('dataset', pushed.dataset),
        isComplete: pushed.isComplete,
        pushingMs: pushed.pushingAge === null ? null : NOW - pushed.pushingAge,
        modifiedMs: NOW - pushed.age,
        keys: pushed.samples.map((n) => idOf('sample', n)),
      })),
    { maxLength: 3 },
  ),
  // Extractor n needs base n; some do not say so.
  baseOfExtractor: fc
    .subarray([0, 1, 2, 3], { minLength: 2 })
    .map((known) => new Map(known.map((n) => [idOf('extractor', n), idOf('base', n)]))),
})

const NOTHING = {
  names: [],
  runs: [],
  sweeps: [],
  featureSets: [],
  pushed: [],
  baseOfExtractor: new Map(),
}

const keysOf = (units: GarbagePlan['garbage']): string[] =>
  units.flatMap(({ objects }) => objects.map(({ key }) => key))

const property = (check: (given: GarbageFacts, plan: GarbagePlan) => void): void =>
  fc.assert(
    fc.property(facts, (given) => check(given, planGarbage(given, LIMITS))),
    { numRuns: 200 },
  )

describe('planGarbage', () => {
  it('never takes a shard that a feature set names, nor its extractor or base', () => {
    property((given, plan) => {
      const garbage = keysOf(plan.garbage)
      for (const { extractorId, shards } of given.featureSets) {
        for (const { key } of shards) expect(garbage).not.toContain(key)
        expect(garbage).not.toContain(`extractors/${extractorId}.json`)
        const base = given.baseOfExtractor.get(extractorId)
        expect(garbage.filter((key) => key.startsWith(`bases/${base}/`))).toEqual([])
      }
    })
  })

  it('never takes what a run, a sweep or a name needs, nor a published run', () => {
    property((given, plan) => {
      const garbage = keysOf(plan.garbage)
      const needed = [
        ...given.runs.flatMap((run) => [
          `runs/${run.runId}/`,
          `bases/${run.baseId}/`,
          `datasets/${run.datasetId}/`,
          ...run.extractorIds.map((id) => `extractors/${id}.json`),
        ]),
        ...given.sweeps.flatMap((sweep) => [
          `bases/${sweep.baseId}/`,
          `datasets/${sweep.datasetId}/`,
        ]),
        ...given.names.map(({ kind, id }) => `${kind}s/${id}/`),
        ...given.objects
          .filter(({ key }) => key.endsWith('/run.json'))
          .map(({ key }) => key.replace('run.json', '')),
      ]
      for (const prefix of needed)
        expect(garbage.filter((key) => key.startsWith(prefix))).toEqual([])
    })
  })

  it('takes an old blob exactly when no pushed dataset that stays, and no push, needs it', () => {
    property((given, plan) => {
      const kept = new Set([
        ...given.names.filter(({ kind }) => kind === 'dataset').map(({ id }) => id),
        ...given.runs.map(({ datasetId }) => datasetId),
        ...given.sweeps.map(({ datasetId }) => datasetId),
      ])
      const isYoung = (modifiedMs: number): boolean => modifiedMs > NOW - GRACE
      const needed = given.pushed
        .filter(
          ({ datasetId, isComplete, pushingMs, modifiedMs }) =>
            (isComplete && (kept.has(datasetId) || isYoung(modifiedMs))) ||
            (pushingMs !== null && isYoung(pushingMs)),
        )
        .flatMap(({ keys }) => keys.map((key) => `blobs/${key}`))
      const old = given.objects
        .filter(({ key, modifiedMs }) => key.startsWith('blobs/') && !isYoung(modifiedMs))
        .map(({ key }) => key)
      const taken = keysOf(plan.garbage).filter((key) => key.startsWith('blobs/'))
      expect(taken.sort()).toEqual(old.filter((key) => !needed.includes(key)).sort())
    })
  })

  it('never takes anything of which a part is younger than the grace period', () => {
    property(({ objects }, plan) => {
      const garbage = keysOf(plan.garbage)
      const taken = objects.filter(({ key }) => garbage.includes(key))
      expect(taken.filter(({ modifiedMs }) => modifiedMs > NOW - GRACE)).toEqual([])
    })
  })

  it('never takes the base of an extractor that stays, known or not', () => {
    property((given, plan) => {
      const garbage = keysOf(plan.garbage)
      const staying = given.objects
        .map(({ key }) => key)
        .filter((key) => !garbage.includes(key) && /^(extractors|features)\//.test(key))
        .map((key) => (key.split('/')[1] ?? '').replace('.json', ''))
      const needed = staying.map((id) => `bases/${given.baseOfExtractor.get(id) ?? ''}`)
      const taken = garbage.filter((key) => needed.some((prefix) => key.startsWith(prefix)))
      expect(taken).toEqual([])
    })
  })

  it('takes everything old from a store that nothing refers to', () => {
    fc.assert(
      fc.property(fc.subarray(ALL_KEYS), (keys) => {
        const old = keys.filter((key) => !key.startsWith('runs/'))
        const plan = planGarbage(
          {
            ...NOTHING,
            objects: objectsOf(old, Array(old.length).fill(GRACE)),
          },
          LIMITS,
        )
        expect(keysOf(plan.garbage).sort()).toEqual([...old].sort())
        expect(plan.young).toEqual([])
      }),
    )
  })

  it('takes what publishes a unit first', () => {
    property((_, plan) => {
      for (const { objects } of plan.garbage) {
        const documents = objects.findIndex(({ key }) => /(base|dataset)\.json$/.test(key))
        expect(documents).toBeLessThanOrEqual(0)
      }
    })
  })

  it('keeps what a run needs although no feature set is left', () => {
    const keys = [`bases/${idOf('base', 0)}/base.json`, `bases/${idOf('base', 1)}/base.json`]
    const run = {
      runId: idOf('run', 0),
      baseId: idOf('base', 0),
      datasetId: idOf('dataset', 0),
      extractorIds: [],
      featureSetIds: [],
    }
    const plan = planGarbage(
      { ...NOTHING, runs: [run], objects: objectsOf(keys, [9e5, 9e5]) },
      LIMITS,
    )
    expect(keysOf(plan.garbage)).toEqual(keys.slice(1))
  })

  it('keeps the base of an extraction that has begun', () => {
    const keys = [`bases/${idOf('base', 0)}/base.json`, `extractors/${idOf('extractor', 0)}.json`]
    const baseOfExtractor = new Map([[idOf('extractor', 0), idOf('base', 0)]])
    const plan = planGarbage(
      { ...NOTHING, baseOfExtractor, objects: objectsOf(keys, [9e5, 0]) },
      LIMITS,
    )
    expect(keysOf(plan.garbage)).toEqual([])
  })

  it('leaves alone what it does not know', () => {
    const id = idOf('base', 0)
    const strange = [
      'bases/readme.txt',
      'bases/short/base.json',
      `features/${id}/notes.txt`,
      `features/${id}/sub/${sha256('a')}-${sha256('b')}-${sha256('c')}.arrow`,
      `extractors/${id}.yaml`,
      'doctor/file',
      'blobs/0000',
    ]
    const plan = planGarbage(
      {
        ...NOTHING,
        objects: objectsOf(strange, Array(strange.length).fill(9e5)),
      },
      LIMITS,
    )
    expect([plan.garbage, plan.young]).toEqual([[], []])
  })
})
