// Plans of sweeps: what a list, a grid and a random search come to, and what is refused before any work.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HeadstartError } from '../../../src/errors.js'
import { parseExperiment } from '../../../src/experiment/schema.js'
import { planSweep } from '../../../src/experiment/sweep/plan-sweep.js'
import { headSpecSchema } from '../../../src/head/spec.js'
import { experimentOf } from './experiments.js'

const planOf = (heads: unknown, members: Readonly<Record<string, unknown>> = {}) =>
  planSweep(experimentOf(heads, members))

const headsOf = (heads: unknown, members: Readonly<Record<string, unknown>> = {}) =>
  planOf(heads, members).candidates.map(({ head }) => head)

const refusal = (work: () => unknown): { message: string; details: readonly string[] } => {
  try {
    work()
  } catch (error) {
    if (error instanceof HeadstartError) {
      expect(error.code).toBe('REQUEST_INVALID')
      return error
    }
    throw error
  }
  throw new Error('nothing was refused')
}

const linear = (members: object = {}) => headSpecSchema.parse({ kind: 'linear', ...members })
const CUTS = {
  base: { from: './base', cuts: ['a', { cut: 'b', pooling: 'max' }, { cut: 'b', pooling: 'avg' }] },
}

describe('a list of heads', () => {
  it('is trained as it stands, complete, on every cut and all views', () => {
    const plan = planOf([{ kind: 'linear' }, { kind: 'mlp', width: 8 }], { ...CUTS, views: 3 })
    expect(plan.candidates).toHaveLength(6)
    expect(plan.candidates.map(({ cut }) => cut)).toEqual([0, 1, 2, 0, 1, 2])
    expect(plan.candidates.every(({ views }) => views === 3)).toBe(true)
    expect(plan.candidates[0]?.head).toEqual(linear())
  })

  it('may say for each head where it is trained', () => {
    const plan = planOf(
      [
        { kind: 'linear', cut: 'b' },
        { kind: 'linear', cut: 'b', pooling: 'avg', views: 1 },
        { kind: 'linear', pooling: 'max', l2: 0.1 },
      ],
      { ...CUTS, views: 2 },
    )
    expect(plan.candidates.map(({ cut, views }) => [cut, views])).toEqual([
      [1, 2],
      [2, 2],
      [2, 1],
      [1, 2],
    ])
    for (const { head } of plan.candidates)
      for (const member of ['cut', 'pooling', 'views']) expect(head).not.toHaveProperty(member)
  })

  it('holds equal heads once', () => {
    expect(headsOf([{ kind: 'linear' }, { kind: 'linear', epochs: 30 }])).toEqual([linear()])
  })

  it('refuses places that the experiment does not have', () => {
    const cut = refusal(() => planOf([{ kind: 'linear', cut: 'c' }], CUTS))
    expect(cut.message).toContain('the cut c')
    expect(cut.details).toContain('base.cuts: b, pooling max')
    const views = refusal(() => planOf([{ kind: 'linear', views: 4 }], { views: 3 }))
    expect(views.message).toMatch(/4 views.*has 3/)
  })

  it('tells all faults with their paths', () => {
    const { details } = refusal(() =>
      experimentOf([
        { kind: 'linear', epochs: 0, views: 0 },
        { kind: 'forest' },
        { kind: 'mlp', l3: 1 },
      ]),
    )
    for (const path of ['heads.0.epochs', 'heads.0.views', 'heads.1.kind', 'heads.2'])
      expect(details.some((detail) => detail.startsWith(path))).toBe(true)
    expect(refusal(() => experimentOf([])).details[0]).toMatch(/^heads: /)
  })
})

const RATES = [0.1, 0.01, 0.001, 0.0001]
const PENALTIES = [0, 1e-4, 1e-3]

describe('a grid', () => {
  it('is exactly the product of its lists', () => {
    const lists = fc.record(
      {
        learningRate: fc.subarray(RATES, { minLength: 1 }),
        l2: fc.subarray(PENALTIES, { minLength: 1 }),
        labelSmoothing: fc.constantFrom([0], [0, 0.1]),
        epochs: fc.subarray([1, 2, 3], { minLength: 1 }),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(lists, (grid) => {
        const heads = headsOf({ grid: { kind: ['linear'], ...grid } })
        const wanted = Object.entries(grid).reduce<object[]>(
          (all, [field, values]) =>
            all.flatMap((head) => (values ?? []).map((value) => ({ ...head, [field]: value }))),
          [{}],
        )
        expect(heads).toEqual(wanted.map((head) => linear(head)))
      }),
      { numRuns: 50 },
    )
  })

  it('takes a value without brackets', () => {
    expect(headsOf({ grid: { kind: 'linear', epochs: 3 } })).toEqual([linear({ epochs: 3 })])
  })

  it('leaves out what a kind does not have, and what is then equal', () => {
    const heads = headsOf({
      grid: { kind: ['linear', 'mlp'], width: [4, 8], depth: [1, 2], l2: [0, 0.1] },
    })
    expect(heads.filter(({ kind }) => kind === 'linear')).toHaveLength(2)
    expect(heads.filter(({ kind }) => kind === 'mlp')).toHaveLength(8)
  })

  it('varies places beside members', () => {
    const grid = { kind: 'linear', cut: ['a', 'b'], views: [1, 2], l2: [0, 0.1] }
    const { candidates } = planOf({ grid }, { ...CUTS, views: 2 })
    // The cut b has two poolings.
    expect(candidates).toHaveLength(3 * 2 * 2)
    expect(new Set(candidates.map((one) => JSON.stringify(one))).size).toBe(12)
  })

  it('takes members whose values are objects', () => {
    const heads = headsOf({
      grid: {
        kind: 'linear',
        earlyStopping: [null, { patience: 2 }],
        classWeights: ['none', { uniform: 2 }],
      },
    })
    expect(heads.map(({ earlyStopping }) => earlyStopping?.patience ?? null)).toEqual([
      ...[null, null],
      ...[2, 2],
    ])
    expect(heads[1]?.classWeights).toEqual({ uniform: 2 })
  })

  it('may be several grids: their union', () => {
    const heads = headsOf({
      grid: [
        { kind: 'linear', l2: [0, 0.1] },
        { kind: ['linear', 'mlp'], l2: [0.1] },
      ],
    })
    expect(heads.map(({ kind, l2 }) => [kind, l2])).toEqual([
      ['linear', 0],
      ['linear', 0.1],
      ['mlp', 0.1],
    ])
  })

  it('shares a topology between its heads', () => {
    const topology = { class_name: 'Sequential', config: { layers: [] } }
    const heads = headsOf({ grid: { kind: 'custom', topology: [topology], epochs: [1, 2, 3] } })
    expect(heads).toHaveLength(3)
    const [first] = heads
    if (first?.kind !== 'custom') throw new Error('no custom head')
    expect(first).toEqual(headSpecSchema.parse({ kind: 'custom', topology, epochs: 1 }))
    for (const head of heads) expect('topology' in head && head.topology).toBe(first.topology)
  })

  it('of a million combinations is counted, not built', () => {
    const ten = Array.from({ length: 10 }, (_, i) => (i + 1) / 100)
    const grid = {
      kind: 'linear',
      learningRate: ten,
      l2: ten,
      dropout: ten,
      labelSmoothing: ten,
      momentum: ten,
      weightDecay: ten,
      optimizer: 'sgd',
    }
    expect(refusal(() => planOf({ grid })).message).toBe(
      'the grid has 1,000,000 combinations; at most 1,000: draw some with random and count, or shorten it',
    )
  })

  it('is counted for each kind by what the kind has', () => {
    const widths = Array.from({ length: 100 }, (_, i) => i + 1)
    const depths = Array.from({ length: 10 }, (_, i) => i + 1)
    const grid = { kind: ['linear', 'mlp'], width: widths, depth: depths }
    expect(refusal(() => planOf({ grid })).message).toContain('1,001 combinations')
    expect(planOf({ grid: { ...grid, kind: 'linear' } }).candidates).toHaveLength(1)
  })

  it('is counted with its cuts', () => {
    const l2 = Array.from({ length: 400 }, (_, i) => i / 1000)
    const { message } = refusal(() => planOf({ grid: { kind: 'linear', l2 } }, CUTS))
    expect(message).toMatch(/400 heads on 3 cuts are 1,200; at most 1,000/)
  })

  it('is refused when its topologies would fill jobs and records', () => {
    const topology = { class_name: 'Sequential', config: { note: 'x'.repeat(200_000) } }
    const l2 = Array.from({ length: 400 }, (_, i) => i / 1000)
    const { message } = refusal(() =>
      planOf({ grid: { kind: 'custom', topology: [topology], l2 } }),
    )
    expect(message).toMatch(/topologies of all heads take 80 MB; at most 67 MB/)
  })

  it('names a combination that cannot be trained', () => {
    const grid = { kind: 'linear', optimizer: ['adamw', 'adam'], weightDecay: [0, 0.1] }
    const { message, details } = refusal(() => planOf({ grid }))
    expect(message).toContain('kind "linear", optimizer "adam", weightDecay 0.1')
    expect(details[0]).toContain('weightDecay')
  })

  it.each([
    [{ kind: ['linear'], l2: [] }, 'heads.grid.l2: an empty list'],
    [{ kind: [] }, 'heads.grid.kind: an empty list'],
    [{}, 'heads.grid.kind: missing'],
    [{ kind: 'linear', rate: [1] }, 'heads.grid.rate: no such field'],
    [{ kind: ['linear', 'forest'] }, 'heads.grid.kind.1: '],
    [{ kind: 'linear', l2: [0, -1] }, 'heads.grid.l2.1: '],
    [{ kind: 'linear', views: [0] }, 'heads.grid.views.0: '],
    [[], 'heads.grid: expected'],
    [7, 'heads.grid: expected'],
    [[{ kind: 'linear' }, { kind: 'linear', l2: 'much' }], 'heads.grid.1.l2: '],
  ])('%j is refused with its path', (grid, said) => {
    const { details } = refusal(() => experimentOf({ grid }))
    expect(details.join('\n')).toContain(said)
  })

  it('does not let a member pass that JavaScript knows', () => {
    const grid = JSON.parse('{"kind": ["linear"], "__proto__": [1], "constructor": [1]}') as unknown
    const { details } = refusal(() => experimentOf({ grid }))
    expect(details.join()).toContain('__proto__')
    expect(details.join()).toContain('constructor')
  })
})

const SEARCH = {
  random: {
    kind: ['linear', 'mlp'],
    learningRate: { logUniform: [1e-4, 0.1] },
    dropout: { uniform: [0, 0.5] },
    width: { int: [32, 512] },
    labelSmoothing: [0, 0.1],
    views: { int: [1, 2] },
  },
  count: 64,
  seed: 3,
}

describe('a random search', () => {
  it('draws as many different heads as it is asked for, from its ranges', () => {
    const { candidates, notes } = planOf(SEARCH, { views: 2 })
    expect(notes).toEqual([])
    expect(candidates).toHaveLength(64)
    expect(new Set(candidates.map((one) => JSON.stringify(one))).size).toBe(64)
    for (const { head, views } of candidates) {
      expect(head.learningRate).toBeGreaterThanOrEqual(1e-4)
      expect(head.learningRate).toBeLessThanOrEqual(0.1)
      expect(head.dropout).toBeLessThanOrEqual(0.5)
      expect([0, 0.1]).toContain(head.labelSmoothing)
      expect([1, 2]).toContain(views)
      if (head.kind === 'mlp') expect(head.width).toBeGreaterThanOrEqual(32)
    }
    const small = candidates.filter(({ head }) => (head.learningRate ?? 1) < Math.sqrt(1e-5))
    // Half of the logarithmic range; 64 fair coins leave [16, 48] once in 50,000 times.
    expect(small.length).toBeGreaterThan(16)
    expect(small.length).toBeLessThan(48)
  })

  it('repeats itself, and goes on where it was with a larger count', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.integer({ min: 1, max: 30 }), (seed, count) => {
        const first = headsOf({ ...SEARCH, seed, count }, { views: 2 })
        expect(headsOf({ ...SEARCH, seed, count }, { views: 2 })).toEqual(first)
        const more = headsOf({ ...SEARCH, seed, count: count + 5 }, { views: 2 })
        expect(more.slice(0, count)).toEqual(first)
      }),
      { numRuns: 20 },
    )
  })

  it('of another seed is another one', () => {
    expect(headsOf(SEARCH, { views: 2 })).not.toEqual(headsOf({ ...SEARCH, seed: 4 }, { views: 2 }))
  })

  it('leaves what a field drew as it is when another field comes', () => {
    const before = headsOf({ random: { kind: 'linear', l2: { uniform: [0, 1] } }, count: 5 })
    const after = headsOf({
      random: { kind: 'linear', l2: { uniform: [0, 1] }, learningRate: { uniform: [0.1, 0.2] } },
      count: 5,
    })
    expect(after.map(({ l2 }) => l2)).toEqual(before.map(({ l2 }) => l2))
  })

  it('that has fewer heads than it is asked for says so', () => {
    const { candidates, notes } = planOf({
      random: { kind: 'linear', l2: [0, 0.1, 0.2] },
      count: 9,
    })
    expect(candidates).toHaveLength(3)
    expect(notes).toEqual([
      'the random search has no more than 3 different heads; count asks for 9',
    ])
  })

  it.each([
    [{ random: { kind: 'linear' } }, 'heads.count: missing'],
    [{ count: 3 }, 'heads.random'],
    [{ random: { kind: 'linear' }, count: 0 }, 'heads.count: '],
    [{ random: { kind: 'linear' }, count: 1001 }, 'heads.count: '],
    [{ random: { kind: 'linear', l2: { uniform: [1, 0] } }, count: 1 }, 'heads.random.l2'],
    [{ random: { kind: 'linear', l2: { uniform: [0, 1e9] } }, count: 1 }, 'heads.random.l2'],
    [{ random: { kind: 'linear', l2: { logUniform: [0, 1] } }, count: 1 }, 'heads.random.l2'],
    [{ random: { kind: 'linear', l2: { normal: [0, 1] } }, count: 1 }, 'heads.random.l2'],
    [
      { random: { kind: 'linear', l2: { int: [0, 1], uniform: [0, 1] } }, count: 1 },
      'heads.random.l2',
    ],
    [{ random: { kind: 'linear', l2: [] }, count: 1 }, 'heads.random.l2: an empty list'],
  ])('%j is refused with its path', (heads, said) => {
    expect(refusal(() => experimentOf(heads)).details.join('\n')).toContain(said)
  })

  it('names a combination that it drew and that cannot be trained', () => {
    const random = { kind: 'linear', optimizer: 'adam', weightDecay: { uniform: [0.1, 0.2] } }
    expect(refusal(() => planOf({ random, count: 1 })).message).toMatch(
      /heads\.random.*weightDecay 0\.1/,
    )
  })
})

describe('heads of an experiment', () => {
  it.each([{}, { gird: {} }, 'linear', null])('cannot be %j', (heads) => {
    expect(refusal(() => experimentOf(heads)).details.join()).toMatch(/^heads: /)
  })

  it.each([
    { heads: [{ kind: 'linear', views: 1 }] },
    { heads: { grid: { kind: 'mlp', width: [1, 2] } } },
    { heads: SEARCH },
  ])('parse to what parses to itself: %j', ({ heads }) => {
    const parsed = experimentOf(heads, {
      select: 'loss',
      folds: 3,
      halving: { epochs: 1, factor: 2 },
    })
    expect(parseExperiment(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed)
  })
})

describe('halving', () => {
  const halving = { epochs: 5, factor: 3 }

  it('goes into the plan beside folds and the metric', () => {
    const members = { halving, folds: 4, select: 'loss' }
    expect(planOf([{ kind: 'linear' }], members)).toMatchObject(members)
    expect(planOf([{ kind: 'linear' }])).toMatchObject({ halving: null, folds: null, select: null })
  })

  it('needs a head that is trained for longer', () => {
    const { message } = refusal(() => planOf([{ kind: 'linear', epochs: 5 }], { halving }))
    expect(message).toMatch(/after 5 epochs.*none has more than 5/)
    expect(planOf([{ kind: 'linear', epochs: 6 }], { halving }).halving).toEqual(halving)
  })

  it('needs a head that it can compare', () => {
    const exact = { kind: 'linear', optimizer: 'lbfgs' }
    expect(refusal(() => planOf([exact], { halving })).message).toContain('there is none')
    expect(planOf([exact, { kind: 'linear' }], { halving }).candidates).toHaveLength(2)
  })

  it.each([
    [{ folds: 1 }, 'folds'],
    [{ folds: 21 }, 'folds'],
    [{ halving: { epochs: 0, factor: 3 } }, 'halving.epochs'],
    [{ halving: { epochs: 1, factor: 11 } }, 'halving.factor'],
    [{ select: 'f2' }, 'select'],
  ])('%j is refused with its path', (members, path) => {
    expect(refusal(() => experimentOf([{ kind: 'linear' }], members)).details.join()).toContain(
      path,
    )
  })
})
