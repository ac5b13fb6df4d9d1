package node

import "slices"

// pageSize is the number of elements of a full page.
const pageSize = 256

// A pages is a list in pages. A copy of its list stays as it is while the original changes: a page is copied before its
// first change since the last share. So a change of a few elements costs little however long the list is. The zero value
// is empty.
type pages[N any] struct {
	list  [][]N
	own   []bool // for each page: no copy of the list has it
	count int
}

// share returns the list as it is now, which is not modified any more.
func (p *pages[N]) share() [][]N {
	clear(p.own)
	return slices.Clone(p.list)
}

func (p *pages[N]) at(i int) N { return p.list[i/pageSize][i%pageSize] }

// page returns the page of element i, to be modified.
func (p *pages[N]) page(i int) []N {
	at := i / pageSize
	if !p.own[at] {
		p.list[at], p.own[at] = slices.Clone(p.list[at]), true
	}
	return p.list[at]
}

func (p *pages[N]) set(i int, n N) { p.page(i)[i%pageSize] = n }

func (p *pages[N]) push(n N) {
	if p.count%pageSize == 0 {
		p.list, p.own = append(p.list, nil), append(p.own, true)
	}
	last := p.count / pageSize
	p.list[last] = append(p.page(p.count), n)
	p.count++
}

// pop removes the last element.
func (p *pages[N]) pop() {
	p.count--
	last := p.count / pageSize
	if p.count%pageSize == 0 {
		p.list[last] = nil
		p.list, p.own = p.list[:last], p.own[:last]
		return
	}
	page := p.page(p.count)[:p.count%pageSize]
	clear(page[len(page) : len(page)+1])
	p.list[last] = page
}
