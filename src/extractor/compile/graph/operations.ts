// Owns the table of operations that the compiler knows.
import { CONVOLUTIONS } from './convolution.js'
import { ELEMENTWISE } from './elementwise.js'
import { IMAGES } from './image.js'
import { JOINS } from './join.js'
import { MATRICES } from './matrix.js'
import { NORMALIZATIONS } from './normalization.js'
import { type Compile, input } from './operation.js'
import { PADDINGS } from './padding.js'
import { POOLINGS } from './pooling.js'
import { REDUCTIONS } from './reduction.js'
import { SHAPES } from './shape.js'
import { SLICES } from './slice.js'
import { stridedSlice } from './strided-slice.js'

const same: Compile = (operation) => input(operation, 0)

/** Orders side effects, of which there are none. */
const nothing: Compile = () => ({ kind: 'opaque' })

/** Placeholder and Const are no operations: the compiler knows what they are before it begins. */
export const OPERATIONS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ['Identity', same],
  ['StopGradient', same],
  ['IdentityN', ({ inputs }) => inputs],
  ['NoOp', nothing],
  ['StridedSlice', stridedSlice],
  ...CONVOLUTIONS,
  ...ELEMENTWISE,
  ...IMAGES,
  ...JOINS,
  ...MATRICES,
  ...NORMALIZATIONS,
  ...PADDINGS,
  ...POOLINGS,
  ...REDUCTIONS,
  ...SHAPES,
  ...SLICES,
])
