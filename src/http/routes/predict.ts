// Owns /v1/runs/{reference}/predict: files in, labels out, by the same path as the command line.
import { z } from 'zod'
import { rowKeyOf } from '../../dataset/tensor.js'
import { HeadstartError } from '../../errors.js'
import { sha256Schema } from '../../features/shard.js'
import { sampleKeyOfBytes } from '../../identity/ids.js'
import type { NamedPrediction } from '../../model/predict.js'
import type { RunRecord } from '../../model/run-record.js'
import { type App, type HttpContext, signalOf } from '../context.js'
import type { Sample } from '../models.js'
import { problemResponses } from '../problem.js'
import { type Upload, withUploads } from '../uploads.js'
import { referenceParams } from './references.js'

const labelsSchema = z.union([
  z.array(z.strictObject({ label: z.string(), probability: z.number() })),
  z.array(z.strictObject({ label: z.string(), value: z.number() })),
])

const predictionsSchema = z
  .strictObject({
    run: sha256Schema,
    predictions: z
      .array(
        z.discriminatedUnion('ok', [
          z.strictObject({ name: z.string(), ok: z.literal(true), labels: labelsSchema }),
          z.strictObject({ name: z.string(), ok: z.literal(false), problem: z.string() }),
        ]),
      )
      .describe('one a file, in their order'),
  })
  .meta({ id: 'Predictions' })

const sampleOf = ({ extractor: { input } }: RunRecord, { name, content }: Upload): Sample => ({
  name,
  content,
  key: input.kind === 'image' ? sampleKeyOfBytes(content) : rowKeyOf(input.shape, content),
})

const problemLine = (prediction: NamedPrediction): string[] =>
  prediction.ok ? [] : [`${prediction.name}: ${prediction.problem}`]

/** Some may fail; when none can be predicted, the request has failed. */
const assertAny = (predictions: readonly NamedPrediction[]): void => {
  if (predictions.some(({ ok }) => ok)) return
  throw new HeadstartError('SAMPLE_INVALID', 'no file could be predicted', {
    details: predictions.flatMap(problemLine),
  })
}

const description = `Each file of the form is one image; for a model of rows, one row of little-endian
float32 values. Requests that come together are computed together, and each sample gets the same bits
as alone. A file that cannot be predicted says why; the status is 422 only if that is true of all.`

export const addPredictRoute = (app: App, context: HttpContext): void => {
  const { models, runs, limits, uploads: budget } = context
  app.route({
    method: 'POST',
    url: '/v1/runs/:reference/predict',
    schema: {
      tags: ['predict'],
      summary: 'Predicts files',
      description,
      consumes: ['multipart/form-data'],
      params: referenceParams,
      querystring: z.strictObject({
        top: z.coerce.number().int().min(1).max(100_000).optional().describe('labels a file'),
      }),
      response: { 200: predictionsSchema, ...problemResponses },
    },
    handler: async (request, reply) => {
      const { reference } = request.params
      const { top } = request.query
      const signal = signalOf(reply)
      const run = await runs.find(reference)
      return withUploads(request, { limits, budget }, async (uploads) => {
        const samples = uploads.map((upload) => sampleOf(run, upload))
        const predictions = await models.predict(run, samples, signal)
        assertAny(predictions)
        return {
          run: run.runId,
          predictions: predictions.map((prediction) =>
            prediction.ok ? { ...prediction, labels: prediction.labels.slice(0, top) } : prediction,
          ),
        }
      })
    },
  })
}
