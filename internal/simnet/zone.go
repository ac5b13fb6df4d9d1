package simnet

import (
	"slices"
)

// zones is the matrix of conditions and counters from zone to zone.
type zones struct {
	fallback Link
	names    []string // a zone's index is its position here
	pairs    []zonePair
}

// A zonePair is one cell of the matrix, from the zone of its row to the zone of its column.
type zonePair struct {
	cond    Link
	own     bool // set by SetZoneLink; false: cond follows fallback
	traffic Traffic
}

// index returns a zone's index. It enlarges the matrix for a new zone.
func (z *zones) index(name string) int32 {
	if i := slices.Index(z.names, name); i >= 0 {
		return int32(i)
	}
	old := len(z.names)
	z.names = append(z.names, name)
	pairs := make([]zonePair, (old+1)*(old+1))
	for i := range pairs {
		pairs[i].cond = z.fallback
	}
	for row := range old {
		copy(pairs[row*(old+1):], z.pairs[row*old:(row+1)*old])
	}
	z.pairs = pairs
	return int32(old)
}

func (z *zones) pair(from, to hostRef) *zonePair {
	return &z.pairs[int(from.zone)*len(z.names)+int(to.zone)]
}

// pairNamed returns the pair and creates zones that do not exist.
func (z *zones) pairNamed(from, to string) *zonePair {
	// Compute both indices first: a new zone reallocates the matrix.
	row, column := int(z.index(from)), int(z.index(to))
	return &z.pairs[row*len(z.names)+column]
}

// find returns the pair if both zones exist, otherwise nil.
func (z *zones) find(from, to string) *zonePair {
	row, column := slices.Index(z.names, from), slices.Index(z.names, to)
	if row < 0 || column < 0 {
		return nil
	}
	return &z.pairs[row*len(z.names)+column]
}

// inherit copies the fallback to the pairs without conditions of their own.
func (z *zones) inherit() {
	for i := range z.pairs {
		if p := &z.pairs[i]; !p.own {
			p.cond = z.fallback
		}
	}
}
