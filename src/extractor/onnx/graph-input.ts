// Owns the one input of a graph: which it is, its type and its shape. Refuses graphs with several.
import { create } from '@bufbuild/protobuf'
import { HeadstartError } from '../../errors.js'
import { changed, type OnnxModel, withGraph } from './model.js'
import {
  TensorProto_DataType as DataType,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.js'

/** Input types of bases. Values arrive as float32 and are cast inside the graph. */
const INPUT_TYPES = [DataType.FLOAT, DataType.FLOAT16, DataType.DOUBLE] as const
export type InputType = (typeof INPUT_TYPES)[number]

export interface GraphInput {
  readonly name: string
  readonly type: InputType
  /** Samples in every run, where the graph fixes them; null: any number. */
  readonly batch: number | null
  /** Without the batch axis; null where the graph takes any size. */
  readonly shape: readonly (number | null)[]
}

/** Models from before IR version 4 list their weights among the inputs. */
const ownInputsOf = ({ graph }: OnnxModel): ValueInfoProto[] => {
  const weights = new Set(graph.initializer.map(({ name }) => name))
  return graph.input.filter(({ name }) => !weights.has(name))
}

const invalid = (message: string): HeadstartError => new HeadstartError('BASE_INVALID', message)

const dimensionOf = (value: bigint | string | undefined): number | null =>
  typeof value === 'bigint' && value > 0n && value < 2n ** 31n ? Number(value) : null

/** @throws BASE_INVALID */
export const graphInputOf = (model: OnnxModel): GraphInput => {
  const inputs = ownInputsOf(model)
  const [input] = inputs
  if (input === undefined || inputs.length > 1)
    throw invalid(
      inputs.length === 0
        ? 'the base has no input'
        : `the base has ${inputs.length} inputs, not one: ${inputs
            .map(({ name }) => name)
            .slice(0, 20)
            .join(', ')}`,
    )
  const tensor = input.type?.value.case === 'tensorType' ? input.type.value.value : undefined
  const type = INPUT_TYPES.find((known) => known === tensor?.elemType)
  if (type === undefined)
    throw invalid(
      `the input ${input.name} has the type ${tensor === undefined ? 'no tensor' : (DataType[tensor.elemType]?.toLowerCase() ?? tensor.elemType)}; a base takes float, float16 or double`,
    )
  const dims = tensor?.shape?.dim.map(({ value }) => dimensionOf(value.value))
  if (dims === undefined || dims.length < 2)
    throw invalid(`the input ${input.name} has no shape of two axes or more, batch first`)
  const [batch = null, ...shape] = dims
  return { name: input.name, type, batch, shape }
}

/** A graph input of a type and a shape; null: any number of samples. */
export const inputInfo = (
  name: string,
  elemType: DataType,
  dims: readonly (number | null)[],
): ValueInfoProto =>
  create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType,
          shape: {
            dim: dims.map((size) =>
              create(TensorShapeProto_DimensionSchema, {
                value:
                  size === null
                    ? { case: 'dimParam', value: 'samples' }
                    : { case: 'dimValue', value: BigInt(size) },
              }),
            ),
          },
        },
      },
    },
  })

/** From this version of the format on, weights need not be listed among the inputs. */
const WEIGHTS_ARE_NO_INPUTS = 4n

/**
 * The model without weights among its inputs, so that what depends on them alone is computed once.
 *
 * @throws CUT_UNUSABLE
 */
export const onlyInput = (model: OnnxModel, input: GraphInput): OnnxModel => {
  const kept = model.graph.input.filter(({ name }) => name === input.name)
  if (kept.length === 0)
    throw new HeadstartError('CUT_UNUSABLE', 'the output does not depend on the input of the base')
  const irVersion =
    model.irVersion < WEIGHTS_ARE_NO_INPUTS ? WEIGHTS_ARE_NO_INPUTS : model.irVersion
  return changed(withGraph(model, { input: kept }), { irVersion })
}
