"""PyTorch: a traced, frozen model under optimize_for_inference, and a DataLoader with worker processes."""

import warnings

import numpy as np
import torch
from PIL import Image

from architectures import build
from pixels import random_pixels, side_of

# The older compiler of PyTorch is named by the benchmark; torch says on every call that it is.
warnings.filterwarnings("ignore", category=DeprecationWarning)


class Files(torch.utils.data.Dataset):
    """uint8 [side, side, 3]: a quarter of what float32 would move between processes."""

    def __init__(self, files, side):
        self.files, self.side = files, side

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        with Image.open(self.files[index]) as image:
            resized = image.convert("RGB").resize((self.side, self.side), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized))


class Peer:
    def __init__(self, model, device, threads, **_):
        if device == "tensorrt":
            raise ValueError("measured on cpu and cuda only")
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = False
        self.side, self.threads, self.device = side_of(model), threads, torch.device(device)
        self.model = build(model).to(self.device)
        self.version = f"torch {torch.__version__}"
        self.kernels = sum(w.numel() for _, w in self.model.named_parameters() if w.dim() > 1)
        self.compiled, self.loader = {}, None

    def normalised(self, pixels):
        """float32 NCHW of uint8 NHWC, on the device."""
        return pixels.to(self.device).permute(0, 3, 1, 2).float().div(255).contiguous()

    def optimised(self, batch):
        if batch not in self.compiled:
            example = torch.rand(batch, 3, self.side, self.side, device=self.device)
            with torch.inference_mode():
                frozen = torch.jit.freeze(torch.jit.trace(self.model, example))
                self.compiled[batch] = torch.jit.optimize_for_inference(frozen)
        return self.compiled[batch]

    def forward(self, batch):
        model, pixels = self.optimised(batch), torch.from_numpy(random_pixels(batch, self.side))
        # A GPU gets bytes, which it normalises; a CPU gets values that are normalised already.
        if self.device.type == "cpu":
            ready = self.normalised(pixels)
            prepare = lambda: ready
        else:
            pinned = pixels.pin_memory()
            prepare = lambda: self.normalised(pinned)

        def run():
            with torch.inference_mode():
                return model(prepare()).cpu().numpy()

        return run

    def extract(self, files, batch):
        model = self.optimised(batch)
        if self.loader is None:
            self.loader = torch.utils.data.DataLoader(
                Files(files, self.side),
                batch_size=batch,
                num_workers=self.threads,
                persistent_workers=True,
            )
        with torch.inference_mode():
            return np.concatenate([model(self.normalised(b)).cpu().numpy() for b in self.loader])
