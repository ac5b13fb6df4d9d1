// Package rangeset implements a set of the bytes of one message as sorted ranges: the bytes that have arrived, or those
// that have been sent. It never bounds a set: its user limits the ranges that a peer can cause (len counts them).
//
// The package has one file.
package rangeset

// A Range contains the bytes [From, To) of a message.
type Range struct{ From, To uint32 }

// Empty reports whether r has no bytes.
func (r Range) Empty() bool { return r.From >= r.To }

// A Set is a list of sorted ranges that neither overlap nor touch. The zero value is empty and ready for use. It is not
// safe for concurrent use.
type Set []Range

// Add adds [from, to) to the set and reports whether any of it was new.
func (s *Set) Add(from, to uint32) bool {
	if from >= to || s.Covers(from, to) {
		return false
	}
	old := *s
	i := 0
	for i < len(old) && old[i].To < from {
		i++
	}
	k := i
	for k < len(old) && old[k].From <= to {
		from, to = min(from, old[k].From), max(to, old[k].To)
		k++
	}
	*s = old.replace(i, k, Range{from, to})
	return true
}

// Remove removes [from, to) from the set.
func (s *Set) Remove(from, to uint32) {
	for i := 0; i < len(*s); i++ {
		r := (*s)[i]
		if r.To <= from || r.From >= to {
			continue
		}
		var rest []Range
		if r.From < from {
			rest = append(rest, Range{r.From, from})
		}
		if r.To > to {
			rest = append(rest, Range{to, r.To})
		}
		*s = (*s).replace(i, i+1, rest...)
		i += len(rest) - 1
	}
}

// replace returns s with s[i:k] replaced. It may reuse the memory of s.
func (s Set) replace(i, k int, by ...Range) Set {
	if len(by) == 1 && k == i+1 {
		s[i] = by[0]
		return s
	}
	tail := append([]Range(nil), s[k:]...)
	return append(append(s[:i], by...), tail...)
}

// Gaps calls yield for the ranges below total that are not in the set, at most n of them, in order.
func (s Set) Gaps(total uint32, n int, yield func(from, to uint32)) {
	at := uint32(0)
	for _, r := range append(s[:len(s):len(s)], Range{total, total}) {
		if at < r.From && n > 0 {
			n--
			yield(at, r.From)
		}
		at = r.To
	}
}

// Covers reports whether all of [from, to) is in the set.
func (s Set) Covers(from, to uint32) bool {
	for _, r := range s {
		if r.From <= from && to <= r.To {
			return true
		}
	}
	return false
}

// Prefix returns the number of contiguous bytes in the set that begin with byte 0.
func (s Set) Prefix() uint32 {
	if len(s) == 0 || s[0].From != 0 {
		return 0
	}
	return s[0].To
}

// After returns the beginning of the first range that begins after at, or end if there is none.
func (s Set) After(at, end uint32) uint32 {
	for _, r := range s {
		if r.From > at {
			return r.From
		}
	}
	return end
}

// Size returns the number of bytes in the set.
func (s Set) Size() (n uint32) {
	for _, r := range s {
		n += r.To - r.From
	}
	return n
}

// FirstMissing returns the first range of s that is not in done, or an empty range if done contains all of s.
func (s Set) FirstMissing(done Set) Range {
	d := 0
	for _, have := range s {
		from := have.From
		for d < len(done) && done[d].To <= from {
			d++
		}
		if d < len(done) && done[d].From <= from {
			from = done[d].To
			if from >= have.To {
				continue
			}
			d++
		}
		to := have.To
		if d < len(done) {
			to = min(to, done[d].From)
		}
		if from < to {
			return Range{from, to}
		}
	}
	return Range{}
}
