package sample

type link struct{ to *pair }

func (l *link) total() int { return l.to.sum() + far() }
