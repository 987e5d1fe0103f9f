"""The usual way to score a retrieval, for comparison: PyTorch distances, NumPy sorting, one Python loop over queries; and
k-reciprocal re-ranking (Zhong et al. 2017) on whole N x N matrices, written from the published description.

    bench_retrieval --size market --save FOLDER
    python retrieval_reference.py FOLDER --what evaluate|rerank|rerank-lists|rerank-torchreid|rerank-fastreid

Takes turns with others (contender.py). Memory of re-ranking: about 9 GiB at the size of Market-1501. rerank-lists arranges the same as the fastest
public variants do: neighbour lists by an exact search with faiss, then the encoding. rerank-torchreid and rerank-fastreid call the
functions of these packages, which ./dev bench puts into build/peers; of each only the one file that holds the function is loaded,
so that none of the package's dependencies is needed.
"""

import argparse
import importlib.util
import pathlib
import time

import numpy as np
import torch
from contender import serve

PEERS = pathlib.Path(__file__).resolve().parents[2] / "build" / "peers"
PACKAGES = {"rerank-torchreid": "torchreid/reid/utils/rerank.py", "rerank-fastreid": "fastreid/evaluation/rerank.py"}


def squared_distances(a, b):
    norms = a.pow(2).sum(1, keepdim=True) + b.pow(2).sum(1)[None]
    return norms.addmm_(a, b.t(), beta=1, alpha=-2)


def scores(distances, query, gallery, max_rank=50):
    order = np.argsort(distances, axis=1)
    is_match = (gallery["ids"][order] == query["ids"][:, None]).astype(np.int32)
    curves, precisions = [], []
    for q in range(len(distances)):
        same_identity = gallery["ids"][order[q]] == query["ids"][q]
        same_camera = gallery["cameras"][order[q]] == query["cameras"][q]
        hits = is_match[q][~(same_identity & same_camera)]
        if not hits.any():
            continue
        found = hits.cumsum()
        curves.append(np.minimum(found, 1)[:max_rank])
        precision = found / np.arange(1, len(found) + 1) * hits
        precisions.append(precision.sum() / hits.sum())
    return float(np.mean(precisions)), float(np.mean(np.asarray(curves, np.float32), 0)[0])


def reciprocal(neighbours, image, count):
    mine = neighbours[image, :count]
    return mine[np.where(neighbours[mine, :count] == image)[0]]


def half_of(k1):
    return int(np.around(k1 / 2)) + 1


def encode(image, cores, halves):
    """Images of the expanded reciprocal neighbourhood; cores(i) and halves(i) are the reciprocal neighbours of i."""
    core = cores(image)
    expanded = core
    for other in core:
        half = halves(other)
        if len(np.intersect1d(half, core)) > 2 / 3 * len(half):
            expanded = np.append(expanded, half)
    return np.unique(expanded)


def jaccard_rows(encoding, queries):
    """1 - shared / (2 - shared) of each query with all images, by way of the images that have a weight."""
    columns = [np.where(encoding[:, image] != 0)[0] for image in range(encoding.shape[1])]
    result = np.zeros((queries, len(encoding)), encoding.dtype)
    for q in range(queries):
        shared = np.zeros(len(encoding), encoding.dtype)
        for image in np.where(encoding[q] != 0)[0]:
            rows = columns[image]
            shared[rows] += np.minimum(encoding[q, image], encoding[rows, image])
        result[q] = 1 - shared / (2 - shared)
    return result


def rerank(query, gallery, k1, k2, share):
    """The whole N x N way, half-precision encoding, as the references have it."""
    images = torch.cat([query, gallery])
    original = squared_distances(images, images).numpy()
    original = np.transpose(original / np.max(original, axis=0))
    neighbours = np.argsort(original).astype(np.int32)
    encoding = np.zeros_like(original, dtype=np.float16)
    for image in range(len(images)):
        members = encode(image, lambda i: reciprocal(neighbours, i, k1 + 1), lambda i: reciprocal(neighbours, i, half_of(k1)))
        weights = np.exp(-original[image, members])
        encoding[image, members] = weights / weights.sum()
    original = original[: len(query)]
    if k2 > 1:
        mean = np.zeros_like(encoding)
        for image in range(len(images)):
            mean[image] = np.mean(encoding[neighbours[image, :k2]], axis=0)
        encoding = mean
    jaccard = jaccard_rows(encoding, len(query))
    return (jaccard * (1 - share) + original * share)[:, len(query) :]


def nearest_lists(images, count):
    """The nearest images of each, ascending, and the largest distance of each to any other."""
    import faiss

    index = faiss.IndexFlatL2(images.shape[1])
    index.add(images.numpy())
    neighbours = index.search(images.numpy(), count)[1].astype(np.int32)
    largest = torch.cat([squared_distances(block, images).amax(1) for block in images.split(1024)])
    return neighbours, largest.numpy()


def rerank_lists(query, gallery, k1, k2, share):
    """Neighbour lists instead of sorted matrices, each reciprocal neighbourhood made once, single precision; else as in rerank()."""
    images = torch.cat([query, gallery])
    neighbours, largest = nearest_lists(images, k1 + 1)
    cores = [reciprocal(neighbours, image, k1 + 1) for image in range(len(images))]
    halves = [reciprocal(neighbours, image, half_of(k1)) for image in range(len(images))]
    values, norms = images.numpy(), images.pow(2).sum(1).numpy()
    encoding = np.zeros((len(images), len(images)), np.float32)
    for image in range(len(images)):
        members = encode(image, cores.__getitem__, halves.__getitem__)
        distances = norms[image] + norms[members] - 2 * values[members] @ values[image]
        weights = np.exp(-distances / largest[image])
        encoding[image, members] = weights / weights.sum()
    if k2 > 1:
        mean = np.zeros_like(encoding)
        for image in range(len(images)):
            mean[image] = np.mean(encoding[neighbours[image, :k2]], axis=0)
        encoding = mean
    jaccard = jaccard_rows(encoding, len(query))[:, len(query) :]
    original = squared_distances(query, gallery).numpy() / largest[: len(query), None]
    return jaccard * (1 - share) + original * share


def rerank_package(file):
    """The function of a public package. It squares what it is given."""
    spec = importlib.util.spec_from_file_location("package_rerank", PEERS / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def lengths(a, b):
        return squared_distances(a, b).clamp_min_(0).sqrt_().numpy()

    return lambda query, gallery, k1, k2, share: module.re_ranking(
        lengths(query, gallery), lengths(query, query), lengths(gallery, gallery), k1, k2, share
    )


def load(folder, name):
    part = {key: np.load(folder / f"{name}_{key}.npy") for key in ("features", "ids", "cameras")}
    part["features"] = torch.from_numpy(part["features"])
    return part


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--what", default="evaluate")
    options = parser.parse_args()
    query, gallery = load(options.folder, "query"), load(options.folder, "gallery")
    rerankers = {"rerank": rerank, "rerank-lists": rerank_lists}
    if options.what in PACKAGES:
        rerankers[options.what] = rerank_package(PACKAGES[options.what])

    def run(request):
        processor, begin = time.process_time(), time.perf_counter()
        a = torch.nn.functional.normalize(query["features"], dim=1)
        b = torch.nn.functional.normalize(gallery["features"], dim=1)
        if options.what.startswith("rerank"):
            distances = rerankers[options.what](a, b, 50, 15, 0.3)
        else:
            distances = squared_distances(a, b).numpy()
        middle = time.perf_counter()
        mean_precision, rank1 = scores(distances, query, gallery)
        end = time.perf_counter()
        return {"seconds": end - begin, "ranking_seconds": end - middle, "processor_seconds": time.process_time() - processor, "mAP": mean_precision,
                "rank1": rank1}

    serve({"run": run}, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
