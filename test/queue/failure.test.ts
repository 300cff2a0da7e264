import { UnrecoverableError } from 'bullmq'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ERROR_CATALOGUE, type ErrorCode, HeadstartError } from '../../src/errors.js'
import {
  fromFailedReason,
  fromPlainError,
  toJobFailure,
  toPlainError,
} from '../../src/queue/failure.js'

const CODES = Object.keys(ERROR_CATALOGUE) as ErrorCode[]

const errors = fc
  .record({
    code: fc.constantFrom(...CODES),
    message: fc.string(),
    details: fc.array(fc.string(), { maxLength: 50 }),
  })
  .map(({ code, message, details }) => new HeadstartError(code, message, { details }))

describe('an error of a job', () => {
  it('is the same after its way through a process and through the queue', () => {
    fc.assert(
      fc.property(errors, (error) => {
        const { code, message, details } = error
        expect(fromPlainError(toPlainError(error))).toMatchObject({ code, message, details })
        const { message: reason } = toJobFailure(error)
        expect(fromFailedReason(reason)).toMatchObject({ code, message, details })
      }),
    )
  })

  it('is tried again if and only if it may pass by itself', () => {
    for (const code of CODES)
      expect(toJobFailure(new HeadstartError(code, 'x')) instanceof UnrecoverableError, code).toBe(
        !ERROR_CATALOGUE[code].retryable,
      )
    expect(toJobFailure(new TypeError('x'))).toBeInstanceOf(UnrecoverableError)
  })

  it('is bounded: thousands of details do not travel', () => {
    const details = Array.from({ length: 5000 }, () => 'x'.repeat(5000))
    const { message } = toJobFailure(new HeadstartError('DATASET_CHANGED', 'x', { details }))
    expect(message.length).toBeLessThan(110_000)
  })

  it('of an unknown code, or none of this software, is still an error of the catalogue', () => {
    const newer = JSON.stringify({ code: 'OF_A_NEWER_RELEASE', message: 'x', details: [] })
    expect(fromFailedReason(newer)).toMatchObject({ code: 'INTERNAL', message: 'x' })
    expect(fromFailedReason('job stalled more than allowable limit')).toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringContaining('job stalled more than allowable limit'),
    })
  })
})
