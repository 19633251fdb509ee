class G:
    rank, size = 0, 1
    def gather(self, x): return [x]
def group(): return G()
def count_rows(batch): return len(batch[0])
def shard(batch, i, n): return [x[i::n] for x in batch]
def average_gradients(model, rows, extra): return extra
