"""What makes a forecast look after itself: jobs, schedules, sensors."""
