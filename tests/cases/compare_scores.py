"""Compares the JSON of `vlreid eval --json --rerank 50,15,0.3` with a golden set: compare_scores.py SCORES.json EVAL.json SET"""
import json
import sys

scores, golden = json.load(open(sys.argv[1])), json.load(open(sys.argv[2]))[sys.argv[3]]
plain, reranked = golden["norm"], golden["rerank_50_15_03"]
pairs = [(scores["mAP"], plain["mAP"], 1e-6), (scores["reranked"]["mAP"], reranked["mAP_float32"], 1e-6),
         (scores["reranked"]["CMC"][0], reranked["rank1_float32"], 1e-6)]
pairs += [(scores["CMC"][rank - 1], plain[f"rank{rank}"], 1e-6) for rank in (1, 5, 10)]
worst = [pair for pair in pairs if abs(pair[0] - pair[1]) > pair[2]]
print("\n".join(f"{a} instead of {b}" for a, b, _ in worst) or "equal")
