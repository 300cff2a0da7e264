import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareFeatures,
  measureDrift,
  pickComparedCuts,
} from '../../src/extractor/compile/drift.js'
import { MAX_COMPILED_ERROR, refusalOf } from '../../src/extractor/compile/ensure.js'
import { onnxBaseOf } from '../../src/extractor/compile/load.js'
import type { Drift } from '../../src/extractor/compile/record.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../src/extractor/engine-settings.js'
import { compileBaseInThread } from '../../src/extractor/engines/pool.js'
import { makeProbeBase, PROBE_CUT, PROBE_SIZE } from '../../src/extractor/probe-base.js'
import { loadProbeInputs, probeInputSpec } from '../../src/extractor/probe-inputs.js'
import { widthOf } from '../../src/features/shard.js'

const settings = { ...DEFAULT_ENGINE_SETTINGS, device: 'cpu' }

describe('comparing features', () => {
  it('of equal bits finds nothing, whatever they are', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true, noDefaultInfinity: true }), (values) => {
        const { maxAbs, meanAbs, relative } = compareFeatures(values, values.slice())
        expect([maxAbs, meanAbs, relative]).toEqual([0, 0, 0])
      }),
    )
  })

  it('says the largest distance, their mean, and the largest against the largest value', () => {
    const { maxAbs, meanAbs, relative } = compareFeatures(
      Float32Array.of(1, 2.5, -4),
      Float32Array.of(1, 2, -4),
    )
    expect([maxAbs, meanAbs, relative]).toEqual([0.5, expect.closeTo(0.5 / 3, 12), 0.125])
  })

  it.each([
    ['a value that is no number', Float32Array.of(1, Number.NaN)],
    ['an infinite value', Float32Array.of(1, Number.POSITIVE_INFINITY)],
    ['a missing value', Float32Array.of(1)],
  ])('%s is infinitely far, as a number that JSON can hold', (_what, values) => {
    const { maxAbs, relative } = compareFeatures(values, Float32Array.of(1, 2))
    expect(relative).toBeGreaterThan(1e300)
    expect(JSON.parse(JSON.stringify({ maxAbs }))).toEqual({ maxAbs })
  })
})

describe('cuts that are compared', () => {
  const cut = (path: string, ...shape: number[]) => ({ path, className: 'Dense', shape })

  it('are the last two of different shape that the compiled form has', () => {
    const cuts = [cut('a', 4), cut('b', 8), cut('c', 8), cut('d', 3), cut('e', 2)]
    expect(pickComparedCuts(cuts, ['a', 'b', 'c', 'd'])).toEqual(['d', 'c'])
    expect(pickComparedCuts(cuts, [])).toEqual([])
  })
})

describe('the gate of a compiled form', () => {
  const drift = (relative: number, engine: Drift['engine'] = 'onnxruntime', device = 'cpu') =>
    ({ engine, device, relative }) as Drift

  it('lets pass what agrees, refuses what does not, and what was not compared at all', () => {
    expect(refusalOf([drift(MAX_COMPILED_ERROR), drift(0)])).toBeNull()
    expect(refusalOf([drift(0), drift(2e-4)])).toContain('2.0e-4')
    expect(refusalOf([])).toContain('no cut')
  })

  it('judges the graph on a processor, neither a GPU nor another engine', () => {
    expect(
      refusalOf([drift(0), drift(1, 'onnxruntime', 'cuda:0'), drift(1, 'tensorflow')]),
    ).toBeNull()
    expect(refusalOf([drift(0, 'onnxruntime', 'cuda:0')])).not.toBeNull()
  })

  it('finds the form of another network, on real images and on noise', async () => {
    const base = makeProbeBase()
    const other = { ...base, weights: new Uint8Array(new SharedArrayBuffer(base.weights.length)) }
    new Float32Array(other.weights.buffer).set(
      new Float32Array(base.weights.buffer).map((value, i) => (i % 1000 === 0 ? -value : value)),
    )
    const request = { base, inputShape: [PROBE_SIZE, PROBE_SIZE, 3], cuts: [PROBE_CUT] }
    for (const [from, agrees] of [
      [base, true],
      [other, false],
    ] as const) {
      const { bytes } = await compileBaseInThread(from)
      const compiled = onnxBaseOf(from.baseId, bytes)
      const engines = [{ engine: 'onnxruntime' as const, base: compiled, settings }]
      const measured = await measureDrift({ ...request, engines })
      expect(measured.map(({ inputs }) => inputs)).toEqual(['random', 'real'])
      expect(refusalOf(measured) === null).toBe(agrees)
    }
  })
})

describe('probe inputs', () => {
  it('are images where the base takes images, of the size that it takes', async () => {
    const input = probeInputSpec([null, 96, 3])
    expect(input).toMatchObject({ kind: 'image', size: [224, 96] })
    const [random, real] = await loadProbeInputs(input)
    for (const inputs of [random, real]) {
      expect(inputs?.data).toBeInstanceOf(Uint8Array)
      expect(inputs?.data.length).toBe((inputs?.samples ?? 0) * 224 * 96 * 3)
      expect(new Set(inputs?.data).size).toBeGreaterThan(200)
    }
  })

  it('are rows elsewhere, the same ones each time', async () => {
    const input = probeInputSpec([null, 3])
    expect(input).toEqual({ kind: 'tensor', dtype: 'float32', shape: [16, 3] })
    const [first, ...none] = await loadProbeInputs(input)
    expect(none).toEqual([])
    expect(first?.data).toHaveLength((first?.samples ?? 0) * widthOf([16, 3]))
    expect((await loadProbeInputs(input))[0]).toEqual(first)
  })
})
