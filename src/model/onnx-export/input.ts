// Owns the names that a composed file keeps for itself, and its one float32 input. What the base calls by
// such a name is called otherwise.
import { replaceInput } from '../../extractor/onnx/edit.js'
import { type GraphInput, inputInfo } from '../../extractor/onnx/graph-input.js'
import { type OnnxModel, withGraph } from '../../extractor/onnx/model.js'
import { graphsIn } from '../../extractor/onnx/names.js'
import { TensorProto_DataType as DataType } from '../../extractor/onnx/onnx_pb.js'
import { renameTensors } from './rename.js'

/** Every name of a tensor in the model, inside its nodes too. */
const namesOf = ({ graph }: OnnxModel): Set<string> => {
  const names = new Set<string>()
  for (const { input, initializer, node } of graphsIn(graph)) {
    for (const { name } of [...input, ...initializer]) names.add(name)
    for (const { input: read, output } of node)
      for (const name of [...read, ...output]) names.add(name)
  }
  return names
}

/** The model without names that are reserved, and what each of its names is now. Pure. */
export const reserveNames = (
  model: OnnxModel,
  reserved: (name: string) => boolean,
): { readonly model: OnnxModel; readonly nameOf: (name: string) => string } => {
  const taken = namesOf(model)
  const renamed = new Map<string, string>()
  for (const name of [...taken].filter(reserved)) {
    let fresh = `base/${name}`
    while (taken.has(fresh)) fresh = `base/${fresh}`
    taken.add(fresh)
    renamed.set(name, fresh)
  }
  const nameOf = (name: string): string => renamed.get(name) ?? name
  return { model: renamed.size === 0 ? model : renameTensors(model, nameOf), nameOf }
}

/**
 * The model taking float32 [batch, ...shape] under a name that nothing in it has. Where the base takes
 * another type, the values are cast first.
 */
export const nameInput = (
  model: OnnxModel,
  own: GraphInput,
  name: string,
  shape: readonly number[],
): OnnxModel => {
  const dims = [own.batch, ...shape]
  if (own.type !== DataType.FLOAT)
    return replaceInput(
      model,
      { replaces: own.name, name, type: DataType.FLOAT, dims },
      (builder, given, old) => {
        builder.node('Cast', [given], { to: { int: own.type } }, old)
      },
    )
  const renamed = renameTensors(model, (old) => (old === own.name ? name : old))
  return withGraph(renamed, { input: [inputInfo(name, DataType.FLOAT, dims)] })
}
