package main

import (
	"fmt"
	"slices"
)

// knowledge summarizes how many nodes each node of a cluster knows, including itself.
type knowledge struct {
	all    int // nodes that know all nodes
	sum    int // over all nodes
	off    int // sum of the differences from the number of nodes
	fewest int
	median int
	nodes  int
}

// known returns the knowledge of all nodes.
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
