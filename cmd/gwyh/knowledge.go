package main

import (
	"fmt"
	"slices"
)

// knowledge is how many nodes each node of a cluster knows of, itself included.
type knowledge struct {
	all    int // nodes that know of as many as there are
	sum    int // of what all know
	off    int // by how much all are off what there is
	fewest int
	median int
	nodes  int
}

// known asks all nodes.
func (c *cluster) known() knowledge {
	each := make([]int, len(c.nodes))
	for i, n := range c.nodes {
		each[i] = n.NumMembers()
	}
	return knowledgeOf(each)
}

func knowledgeOf(each []int) knowledge {
	k := knowledge{nodes: len(each)}
	slices.Sort(each)
	for _, n := range each {
		k.sum += n
		k.off += max(n-k.nodes, k.nodes-n)
		if n == k.nodes {
			k.all++
		}
	}
	if k.nodes > 0 {
		k.fewest, k.median = each[0], each[k.nodes/2]
	}
	return k
}

func (k knowledge) String() string {
	return fmt.Sprintf("%d of %d nodes know all %d; the one that knows fewest knows %d, the median %d", k.all, k.nodes, k.nodes, k.fewest, k.median)
}
