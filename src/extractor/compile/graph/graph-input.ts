// Owns the input of a GraphModel: its sizes, and how the ONNX graph declares it.
import { create } from '@bufbuild/protobuf'
import {
  TensorProto_DataType as DataType,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from '../../onnx/onnx_pb.js'
import { COMPILED_INPUT } from '../compiled-graph.js'
import { attributeReader } from './attributes.js'
import { BATCH, type Dimension, fixed, type Symbols, sizeOf } from './dimension.js'
import { demand, refuse } from './refusal.js'
import type { GraphNode } from './topology.js'
import type { Computed } from './value.js'
import { computed } from './writer.js'

const MAX_SIDE = 2 ** 20

/** Batch first; a size that the node leaves open is one unknown. Throws Refusal. */
export const readInput = (node: GraphNode, symbols: Symbols): Computed => {
  const attribute = attributeReader(node)
  demand(node.op === 'Placeholder', 'an input that is no placeholder')
  demand(attribute('dtype', 'type') === 'DT_FLOAT', 'an input that is not float')
  const [batch, ...sizes] = attribute('shape', 'shape') ?? refuse('an input of unknown rank')
  demand(batch === -1, 'a fixed number of samples')
  demand(
    sizes.every((size) => size === -1 || (size > 0 && size <= MAX_SIDE)),
    'sizes out of range',
  )
  const dims = sizes.map((size) => (size === -1 ? symbols.fresh() : fixed(size)))
  return computed(COMPILED_INPUT, [BATCH, ...dims])
}

/** Each unknown by its name, so that onnxruntime takes no two of them for one. */
export const declareInput = (dims: readonly Dimension[]): ValueInfoProto =>
  create(ValueInfoProtoSchema, {
    name: COMPILED_INPUT,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: DataType.FLOAT,
          shape: {
            dim: dims.map((dim) => {
              const size = sizeOf(dim)
              return create(TensorShapeProto_DimensionSchema, {
                value:
                  size === null
                    ? { case: 'dimParam', value: dim.symbols.join('*') }
                    : { case: 'dimValue', value: BigInt(size) },
              })
            }),
          },
        },
      },
    },
  })
