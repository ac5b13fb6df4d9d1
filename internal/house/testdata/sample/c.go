package sample

func far() int {
	p := pair{left: 1}
	return p.left
}
