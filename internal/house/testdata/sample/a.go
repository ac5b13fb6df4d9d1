// Package sample is measured by a test: a and b use each other, b and c lead back to a, d uses no other file.
package sample

type pair struct {
	left, right int
	next        *link
}

func (p *pair) sum() int { return p.left + p.right }

func (p *pair) plain(q bool) bool { return p.left > 0 && p.right > 0 && q }
