package mysql

// Apply changes the state as the statement does when it succeeds. What cannot
// be predicted makes the state stale.
func (s *State) Apply(cat *Catalog, stmt *Statement) {
	if stmt.Changes&ChangeUnknown != 0 {
		s.Stale = true
	}
}
