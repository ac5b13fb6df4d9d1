package gossip

// span is the bytes [from, to) of a message.
type span struct{ from, to uint32 }

// spans is a set of bytes: sorted spans that neither overlap nor touch.
type spans []span

// add puts [from, to) into the set and reports whether any of it was new.
func (s *spans) add(from, to uint32) bool {
	if from >= to || s.covers(from, to) {
		return false
	}
	old := *s
	i := 0
	for i < len(old) && old[i].to < from {
		i++
	}
	k := i
	for k < len(old) && old[k].from <= to {
		from, to = min(from, old[k].from), max(to, old[k].to)
		k++
	}
	*s = old.replace(i, k, span{from, to})
	return true
}

// remove takes [from, to) out of the set.
func (s *spans) remove(from, to uint32) {
	for i := 0; i < len(*s); i++ {
		o := (*s)[i]
		if o.to <= from || o.from >= to {
			continue
		}
		var rest []span
		if o.from < from {
			rest = append(rest, span{o.from, from})
		}
		if o.to > to {
			rest = append(rest, span{to, o.to})
		}
		*s = (*s).replace(i, i+1, rest...)
		i += len(rest) - 1
	}
}

// replace is s with s[i:k] replaced.
func (s spans) replace(i, k int, by ...span) spans {
	if len(by) == 1 && k == i+1 {
		s[i] = by[0]
		return s
	}
	tail := append([]span(nil), s[k:]...)
	return append(append(s[:i], by...), tail...)
}

// gaps yields the bytes below total that are not in the set, n runs of them at most.
func (s spans) gaps(total uint32, n int, yield func(from, to uint32)) {
	at := uint32(0)
	for _, o := range append(s[:len(s):len(s)], span{total, total}) {
		if at < o.from && n > 0 {
			n--
			yield(at, o.from)
		}
		at = o.to
	}
}

// covers reports whether all of [from, to) is in the set.
func (s spans) covers(from, to uint32) bool {
	for _, o := range s {
		if o.from <= from && to <= o.to {
			return true
		}
	}
	return false
}

// prefix is how far the set reaches from zero without a gap.
func (s spans) prefix() uint32 {
	if len(s) == 0 || s[0].from != 0 {
		return 0
	}
	return s[0].to
}

// after is where the first span behind at begins; end when there is none.
func (s spans) after(at, end uint32) uint32 {
	for _, o := range s {
		if o.from > at {
			return o.from
		}
	}
	return end
}

// size is the number of bytes in the set.
func (s spans) size() (n uint32) {
	for _, o := range s {
		n += o.to - o.from
	}
	return n
}

// firstMissing is the first run of bytes of s that is not in done; empty when there is none.
func (s spans) firstMissing(done spans) span {
	d := 0
	for _, have := range s {
		from := have.from
		for d < len(done) && done[d].to <= from {
			d++
		}
		if d < len(done) && done[d].from <= from {
			from = done[d].to
			if from >= have.to {
				continue
			}
			d++
		}
		to := have.to
		if d < len(done) {
			to = min(to, done[d].from)
		}
		if from < to {
			return span{from, to}
		}
	}
	return span{}
}
