"""One peer of the benchmark of heads: `python heads_peer.py keras|torch|sklearn`.

Each line of standard input is a request, each line of standard output its answer, both JSON:

  {"do": "open", "features", "labels", "rows", "width", "classes", "threads"}  -> {"version"}
  {"do": "train", "heads", "epochs", "batch"}         one after another -> {"seconds", "accuracies"}
  {"do": "train", ..., "solver": "sgd" | "lbfgs"}     scikit-learn      -> {"seconds", "accuracies"}
  {"do": "solve", "l2", "tolerance", "file"}          LogisticRegression -> {"seconds", "objective", "iterations"}

A head is {"kind": "linear" | "mlp", "width", "learningRate", "l2"}. `solve` writes the predicted classes into
`file`, as int32. A failure is {"error"}. What libraries print goes to standard error."""

import sys
import time
import warnings

import numpy as np
from serve import serve


class Torch:
    """Tensors indexed by a permutation: no DataLoader between the data and the step."""

    def __init__(self, data, threads):
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        self.x, self.y = torch.from_numpy(data.x), torch.from_numpy(data.y.astype(np.int64))
        self.classes, self.version = data.classes, f"torch {torch.__version__}"

    def model(self, head):
        nn, width = self.torch.nn, self.x.shape[1]
        if head["kind"] == "linear":
            return nn.Linear(width, self.classes)
        hidden = head["width"]
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, self.classes))

    def train(self, head, epochs, batch):
        torch = self.torch
        model, loss_of = self.model(head), torch.nn.CrossEntropyLoss()
        kernels = [w for w in model.parameters() if w.dim() > 1]
        biases = [w for w in model.parameters() if w.dim() == 1]
        groups = [{"params": kernels, "weight_decay": 2 * head["l2"]}, {"params": biases}]
        optimizer = torch.optim.Adam(groups, lr=head["learningRate"])
        for _ in range(epochs):
            for rows in torch.randperm(len(self.x)).split(batch):
                optimizer.zero_grad()
                loss_of(model(self.x[rows]), self.y[rows]).backward()
                optimizer.step()
        with torch.no_grad():
            return float((model(self.x).argmax(1) == self.y).float().mean())


class Keras:
    def __init__(self, data, threads):
        import keras
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        self.keras, self.x, self.y, self.classes = keras, data.x, data.y, data.classes
        self.version = f"keras {keras.__version__}, tensorflow {tf.__version__}"

    def train(self, head, epochs, batch):
        keras = self.keras
        regularizer = keras.regularizers.L2(head["l2"]) if head["l2"] > 0 else None
        dense = lambda units, **more: keras.layers.Dense(units, kernel_regularizer=regularizer, **more)
        hidden = [] if head["kind"] == "linear" else [dense(head["width"], activation="relu")]
        model = keras.Sequential([keras.Input((self.x.shape[1],)), *hidden, dense(self.classes)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(head["learningRate"]), loss)
        model.fit(self.x, self.y, batch_size=batch, epochs=epochs, verbose=0)
        return float((model.predict(self.x, verbose=0).argmax(1) == self.y).mean())


class Sklearn:
    def __init__(self, data, threads):
        import sklearn

        # Their limits are asked for on purpose: 20 passes or iterations, converged or not.
        warnings.filterwarnings("ignore", category=sklearn.exceptions.ConvergenceWarning)
        self.x, self.y, self.version = data.x, data.y, f"scikit-learn {sklearn.__version__}"

    def regression(self, l2, **more):
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=1 / (2 * len(self.x) * l2) if l2 > 0 else np.inf, **more)

    def train(self, head, epochs, batch, solver):
        from sklearn.linear_model import SGDClassifier

        if solver == "lbfgs":
            model = self.regression(head["l2"], max_iter=epochs)
        else:
            model = SGDClassifier(loss="log_loss", alpha=2 * head["l2"] or 1e-9, max_iter=epochs, tol=None)
        return float(model.fit(self.x, self.y).score(self.x, self.y))

    def solve(self, l2, tolerance, file):
        started = time.perf_counter()
        model = self.regression(l2, tol=tolerance, max_iter=1000).fit(self.x, self.y)
        seconds = time.perf_counter() - started
        scores = model.predict_log_proba(self.x.astype(np.float64))
        loss = -scores[np.arange(len(self.y)), self.y].mean()
        model.predict(self.x).astype(np.int32).tofile(file)
        squares = float((model.coef_.astype(np.float64) ** 2).sum())
        iterations = int(np.max(model.n_iter_))
        return {"seconds": seconds, "objective": float(loss + l2 * squares), "iterations": iterations}


class Data:
    def __init__(self, features, labels, rows, width, classes):
        self.x = np.fromfile(features, np.float32).reshape(rows, width)
        self.y, self.classes = np.fromfile(labels, np.int32), classes


PEERS = {"torch": Torch, "keras": Keras, "sklearn": Sklearn}


def train(peer, heads, **how):
    started = time.perf_counter()
    accuracies = [peer.train(head, **how) for head in heads]
    return {"seconds": time.perf_counter() - started, "accuracies": accuracies}


def answer_to(request, peers):
    do = request.pop("do")
    if do == "open":
        threads = request.pop("threads")
        peers.append(PEERS[sys.argv[1]](Data(**request), threads))
        return {"version": peers[0].version}
    return train(peers[0], **request) if do == "train" else peers[0].solve(**request)


serve(answer_to)
