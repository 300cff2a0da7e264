import { describe, expect, it } from 'vitest'
import {
  type Evaluation,
  iterate,
  type LbfgsState,
  largestOf,
  startAt,
} from '../../../src/head/exact/lbfgs.js'
import { type Sample, searchStep } from '../../../src/head/exact/line-search.js'

type Objective = (point: Float64Array) => Evaluation

const runOne = (iteration: ReturnType<typeof iterate>, objective: Objective): LbfgsState | null => {
  let next = iteration.next()
  while (next.done !== true) next = iteration.next(objective(next.value))
  return next.value
}

/** The states after each iteration, the start first; ends where nothing is better. */
const minimise = (objective: Objective, start: readonly number[], most = 200): LbfgsState[] => {
  const states = [runOne(startAt(Float64Array.from(start)), objective) as LbfgsState]
  while (states.length <= most && largestOf((states.at(-1) as LbfgsState).gradient) > 1e-9) {
    const next = runOne(iterate(states.at(-1) as LbfgsState), objective)
    if (next === null) break
    states.push(next)
  }
  return states
}

/** Rosenbrock's valley; least, 0, at (1, 1). */
const rosenbrock: Objective = (point) => {
  const [x = 0, y = 0] = point
  const [a, b] = [1 - x, y - x * x]
  return { loss: a * a + 100 * b * b, gradient: Float64Array.of(-2 * a - 400 * x * b, 200 * b) }
}

/** sum of i * (x_i - i)^2, with curvatures from 2 to 100. */
const bowl: Objective = (point) => ({
  loss: point.reduce((sum, x, i) => sum + (i + 1) * (x - i) ** 2, 0),
  gradient: point.map((x, i) => 2 * (i + 1) * (x - i)),
})

describe('L-BFGS', () => {
  it("finds the end of Rosenbrock's valley", () => {
    const last = minimise(rosenbrock, [-1.2, 1]).at(-1) as LbfgsState
    expect(last.point[0]).toBeCloseTo(1, 8)
    expect(last.point[1]).toBeCloseTo(1, 8)
  })

  it('never goes up, keeps ten corrections, and finds the least of a bowl', () => {
    const states = minimise(bowl, new Array<number>(50).fill(0))
    for (const [index, state] of states.entries()) {
      expect(state.loss).toBeLessThanOrEqual(states[index - 1]?.loss ?? Number.POSITIVE_INFINITY)
      expect(state.corrections.length).toBeLessThanOrEqual(10)
    }
    const { point } = states.at(-1) as LbfgsState
    expect(Array.from(point, (x) => Math.round(x * 1e6) / 1e6)).toEqual(Array.from(point.keys()))
  })

  it('finds the same bits when an iteration is told again what it was told', () => {
    const start = minimise(rosenbrock, [-1.2, 1], 5).at(-1) as LbfgsState
    const told: Evaluation[] = []
    const plain = runOne(iterate(start), (point) => {
      told.push(rosenbrock(point))
      return rosenbrock(point)
    })
    const answers = told.values()
    expect(runOne(iterate(start), () => answers.next().value as Evaluation)).toEqual(plain)
  })

  it('turns to the gradient where its corrections mislead', () => {
    const state = minimise(bowl, [3, -2, 7], 2).at(-1) as LbfgsState
    const misleading = state.corrections.map(({ point, gradient }) => ({
      point,
      gradient: gradient.map((value) => -value),
    }))
    const next = runOne(iterate({ ...state, corrections: misleading }), bowl)
    expect(next?.loss).toBeLessThan(state.loss)
  })

  it('returns null where no step is better', () => {
    const flat: Objective = (point) => ({
      loss: point.every((x) => x === 0) ? 0 : 1,
      gradient: point.map(() => 1),
    })
    const state = runOne(startAt(new Float64Array(2)), flat) as LbfgsState
    expect(runOne(iterate(state), flat)).toBeNull()
  })
})

describe('the search for a step', () => {
  const search = (along: (step: number) => Omit<Sample, 'step'>, first: number): Sample | null => {
    const generator = searchStep({ step: 0, ...along(0) }, first)
    let next = generator.next()
    while (next.done !== true) next = generator.next(along(next.value))
    return next.value
  }
  const parabola = (least: number) => (step: number) => ({
    value: (step - least) ** 2,
    slope: 2 * (step - least),
  })

  it.each([1e-6, 0.3, 1, 40, 1e6])(
    'meets the Wolfe conditions from a first step of %f',
    (first) => {
      const start = parabola(1)(0)
      const found = search(parabola(1), first) as Sample
      expect(found.value).toBeLessThanOrEqual(start.value + 1e-4 * found.step * start.slope)
      expect(Math.abs(found.slope)).toBeLessThanOrEqual(0.9 * Math.abs(start.slope))
    },
  )

  it('takes a value that is not finite for a step too long', () => {
    const wall = (step: number) =>
      step > 2 ? { value: Number.NaN, slope: Number.NaN } : parabola(1)(step)
    expect(search(wall, 64)?.step).toBeLessThanOrEqual(2)
  })

  it('goes by slopes where values differ by less than float32 can tell', () => {
    const noisy = (step: number) => ({
      value: 1 + (step === 0 ? 0 : 1e-8),
      slope: 1e-9 * (step - 1),
    })
    expect(search(noisy, 1)?.step).toBe(1)
  })
})
