package audit
func child(role, dir string) int { return 1 }
